"""The chapters' prose: a number that was measured comes from its cell, by ``glue``, and is never typed."""

from __future__ import annotations

import re
from pathlib import Path

import jupytext
import nbformat
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("0[1-4]_*.md"))

# Digits, and words for shares and multiples. Small counts in words ("two panels") are no measurements.
COUNT = r"(?:one|two|three|four|five|six|seven|eight|nine|ten)"
SHARE = r"half|halves|(?:a|one|two) thirds?|quarters?|(?:a|one) (?:fifth|tenth)|hundredths?"
SCALE = r"dozens?|hundreds?|thousands?|millions?|per ?cent|twice"
NUMBER = re.compile(rf"(?<!\w)\d[\d.,]*|[¼½¾]|\b(?:{COUNT} (?:times|out of|per ?cent)|{SHARE}|{SCALE})\b")
# Code, mathematics, and roles, glue among them, are not typed numbers.
NOT_PROSE = re.compile(r"```\{math\}.*?```|\$\$.*?\$\$|\{[\w:]+\}`[^`]*`|`[^`]*`|\$[^$]*\$", re.DOTALL)

# What may be typed, by the reason.
ALLOWED = {
    "the baselines of ratios, kernels and densities": [r"(?<![\d.,−-])[01]\b(?![.,/ ]*[\d%])", r"Near -1:"],
    "levels and thresholds laid down beforehand": [
        r"95 % (?:intervals?|confidence)",
        r"less than 5 %",
        r"\(5 % level\)",
        r"one per cent",
        r"beforehand, 0\.05",
        r"less than half of what the others",
    ],
    "the paper's histogram": [r"64 × 64", r"64 cells", r"64 classes", r"over a hundred networks"],
    "the paper's figures and its setting": [
        r"Fig(?:s|ure)?\.? \d+(?: (?:and|to) \d+)?",
        r"\"[45]-layer\"",
        r"1024 neurons on MNIST",
        r"for 200 steps",
        r"from 50 to 95 %",
    ],
    "facts about data": [
        r"784 (?:coordinates|pixels|inputs|for the first layer)",
        r"width 784",
        r"5,000 digits",
        r"all 60,000",
        r"200 bands",
        r"10,249 pixels",
        r"16 kinds",
    ],
    "names": [r"4-cycles?", r"2n\b", r"layer 2\b", r"chapter [1-4]\b", r"top 5\b"],
    "what follows from a formula beside it": [
        r"slope −1(?:/2)?\b",
        r"the 15 is",
        r"The 3 is",
        r"the 3 of",
        r"15 over k",
        r"a tenth of the weights",
        r"a tenth of where",
        r"chance one half",
        r"at most four times",
        r"ten times the width",
        r"a quarter of its neurons",
    ],
    "how a shape, an estimator or a study is defined": [
        r"fills a quarter",
        r"one half of the entries",
        r"half of the entries only",
        r"leaves half of the neurons",
        r"density one half",
        r"own layer's term twice",
        r"one fifth of",
    ],
    "manners of speaking": [r"half alive", r"at twice that width", r"ask it twice"],
}


def prose(name: str) -> list[str]:
    """Markdown cells, captions and alternative texts, without what is not prose, a line each."""
    cells = jupytext.read(FOLDER / f"{name}.md").cells
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    looks = [cell.metadata.get("mystnb", {}) for cell in cells]
    texts += [
        look[part][key] for look in looks for part, key in (("image", "alt"), ("figure", "caption")) if part in look
    ]
    return [" ".join(NOT_PROSE.sub(" · ", text).split()) for text in texts]


def typed(text: str) -> list[str]:
    """Numbers that are not on the list, with a few words around."""
    allowed = [found.span() for patterns in ALLOWED.values() for one in patterns for found in re.finditer(one, text)]
    return [
        text[max(0, found.start() - 30) : found.end() + 20]
        for found in NUMBER.finditer(text)
        if not any(start <= found.start() < end for start, end in allowed)
    ]


def glued(name: str) -> dict[str, str]:
    """What the stored outputs hold under each name."""
    outputs = [
        o for cell in nbformat.read(FOLDER / f"{name}.ipynb", as_version=4).cells for o in cell.get("outputs", [])
    ]
    return {
        output.metadata["scrapbook"]["name"]: next(iter(output.data.values()))
        for output in outputs
        if "scrapbook" in output.get("metadata", {})
    }


@pytest.mark.parametrize("name", NAMES)
def test_no_measured_number_is_typed(name):
    found = [number for text in prose(name) for number in typed(text)]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "The error is 17 % at most.",
        "SNIP falls to 0.4 of it.",
        "rises to -0.6",
        "about half of Random's",
        "three times as far",
        "a factor of a hundred",
        "four out of five",
    ],
)
def test_a_typed_measurement_is_found(text):
    assert len(typed(text)) == 1


def test_all_that_may_be_typed_is():
    texts = [text for name in NAMES for text in prose(name)]
    patterns = [pattern for patterns in ALLOWED.values() for pattern in patterns]
    assert [pattern for pattern in patterns if not any(re.search(pattern, text) for text in texts)] == []


@pytest.mark.parametrize("name", NAMES)
def test_what_is_glued_is_told_and_what_is_told_is_glued(name):
    told = set(re.findall(r"\{glue:text\}`([^`:]+)`", (FOLDER / f"{name}.md").read_text()))
    values = glued(name)
    assert told == set(values)
    assert [key for key, value in values.items() if re.search(r"nan|not run|np\.", value)] == []
