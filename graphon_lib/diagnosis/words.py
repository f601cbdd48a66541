"""A diagnosis in words: sections of sentences and tables, which text and page show alike."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from graphon_lib.diagnosis.kernels import METRICS
from graphon_lib.diagnosis.number import Number, shown
from graphon_lib.diagnosis.report import Diagnosis
from graphon_lib.diagnosis.standing import described

WIDTH = 100

TOTALS = {
    "density": "weights kept",
    "path_density": "paths kept (path density)",
    "path_density_of_estimate": "path density by the estimated graphons",
    "second_moment_scale": "second-moment scale",
    "kernel_over_second_moment": "kernel scale / second-moment scale",
    "initial_loss": "loss as it is",
}
MODELS = {"random": "off random", "degrees": "off its degrees"}
SHOWN = ("second_moment_scale", "kernel_scale", "limit_scale", "relative_loss")
METHODS = {"random": "Random", "magnitude": "Magnitude", "snip": "SNIP", "grasp": "GraSP", "synflow": "SynFlow"}
WEIGHTS = {
    "he": "pass for a draw of He's initialisation, which sets the unit of scales",
    "pytorch": "pass for a draw of PyTorch's initialisation, which sets the unit of scales",
    None: "pass for no draw of He's or PyTorch's initialisation; scales are in units of He's",
}
THIS = "this network"


@dataclass
class Table:
    """A table with a heading for each row and column; ``reasons`` are told below it, by the number in the cell."""

    caption: str
    columns: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def cell(self, number: Number) -> str:
        """The number, or "not known" with the number of its reason."""
        if number.known:
            return str(number)
        if number.note not in self.reasons:
            self.reasons.append(number.note)
        return f"not known [{self.reasons.index(number.note) + 1}]"


@dataclass
class Section:
    """One heading with what stands under it; ``picture`` names one of ``page.PICTURES``."""

    title: str
    paragraphs: list[str] = field(default_factory=list)
    points: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    picture: str = ""


def sections(of: Diagnosis) -> list[Section]:
    """All of a report."""
    return [_glance(of), _layers(of), _graphons(of), _kernel(of), _standing(of), _training(of), _ledger(of)]


def _glance(of: Diagnosis) -> Section:
    density = of.totals["density"].value or 0.0
    facts = [
        f"{of.model}: {100 * (1 - density):.3g} % of its weights are pruned.",
        f"Activation: {of.activation or 'not known'}. Its weights {WEIGHTS[of.weights_of]}.",
        f"Kernels are computed on {of.images} of {of.available} inputs.",
    ]
    if of.departures:
        facts.append(f"It is no plain stack of linear layers: {'; '.join(of.departures)}.")
    if of.beside:
        facts.append(f"It has {' and '.join(of.beside)}, which the limit leaves out.")
    table = Table("The network in numbers", ["number", "value"])
    table.rows = [[name, table.cell(of.totals[key])] for key, name in TOTALS.items()]
    table.rows.append(["early loss / Random's at equal sparsity", table.cell(of.early_loss)])
    return Section("At a glance", [" ".join(facts)], tables=[table])


def _layers(of: Diagnosis) -> Section:
    table = Table(
        "Layers of weights. Off: by how many standard deviations the mask's 4-cycles lie off those of random masks of "
        "its density, and of random masks of its degrees",
        ["layer", "shape", "kept", "outputs without", "inputs without", *MODELS.values()],
    )
    for layer in of.layers:
        fits = [table.cell(layer.fits[model]["C4"]) for model in MODELS]
        shape = f"{layer.outputs} x {layer.inputs}" + (f" x {layer.positions}" if layer.positions > 1 else "")
        lost = [str(layer.outputs_without), str(layer.inputs_without)]
        table.rows.append([layer.name, shape, str(layer.density), *lost, *fits])
    neurons = Table(
        "Neurons without a kept weight", ["neurons", "count", "none in", "none out", "dead (none in or none out)"]
    )
    for one in of.neurons:
        sides = ["" if lost is None else str(lost) for lost in (one.none_in, one.none_out)]
        neurons.rows.append([one.name, str(one.count), *sides, str(one.dead)])
    told = [
        "Goodness of fit: a mask within 2 or 3 of random masks has no structure that shows; one far off them, but not "
        "off its degrees, is described by its graphon; one far off both keeps weights in a way that degrees hide."
    ]
    if not of.neurons:
        told.append(
            "Its layers do not take what the one before gives, so that neurons cannot be followed through them."
        )
    return Section("Layers", told, tables=[table, *([neurons] if of.neurons else [])])


def _graphons(of: Diagnosis) -> Section:
    told = (
        f"Rows (outputs) and columns (inputs) of each mask sorted by how many weights they keep, averaged over "
        f"{of.blocks} x {of.blocks} blocks. Sorting alone grades even a random mask a little."
    )
    return Section("Graphons", [told], picture="graphons")


def _kernel(of: Diagnosis) -> Section:
    table = Table(
        "Metrics of the kernel, with 95 % intervals over the choice of images", ["metric", "this network", "limit"]
    )
    for metric, name in METRICS.items():
        table.rows.append([name, *(table.cell(of.kernels[which][metric]) for which in ("finite", "limit"))])
    told = (
        "This network: the neural tangent kernel of its kept weights as they are. Limit: the Graphon NTK of its "
        "estimated graphons, for fresh weights and endless width, without biases. What the two differ by is what the "
        "kept weights themselves contribute, and finite width."
    )
    return Section("The kernel", [told], tables=[table])


def _standing(of: Diagnosis) -> Section:
    standing = of.standing
    table = Table(
        f"Pruned at initialisation to density {shown(standing.density)}: {described(standing.setting)}. Ranges are "
        "over the book's networks",
        [
            "method",
            "second-moment scale",
            "kernel / dense",
            "limit / dense",
            "early loss / Random's",
            "layer densities",
        ],
    )
    own = [of.totals["second_moment_scale"], of.kernels["finite"]["scale"], of.kernels["limit"]["scale"], of.early_loss]
    densities = " ".join(shown(layer.density.value or 0.0) for layer in of.layers)
    table.rows.append([THIS, *map(table.cell, own), densities])
    for peer in standing.peers:
        ranges = [peer.ranges[name] for name in SHOWN]
        cells = [str(Number(middle, low, high)) if low < high else shown(middle) for low, middle, high in ranges]
        table.rows.append([METHODS[peer.method], *cells, " ".join(map(shown, peer.layer_densities))])
    told = [f"Compare with care: {standing.note}."] if standing.note else []
    return Section("Among the book's methods", told, tables=[table], picture="standing")


def _training(of: Diagnosis) -> Section:
    if of.obstacles:
        told = "Not known: the book's evidence does not bear on this network, because"
        return Section("How training would begin", [told], points=list(of.obstacles))
    told = (
        f"Expected mean loss of the first 200 steps (Adam at 0.001, mini-batches of 128), over that of a randomly "
        f"pruned network of equal sparsity: {of.early_loss}. Below 1 is faster. The interval reaches "
        f"{of.early_loss.note}. It holds for training on the book's data at that step; with a step tuned for each "
        "network, differences shrink."
    )
    return Section("How training would begin", [told])


def _ledger(of: Diagnosis) -> Section:
    points = [
        f"{claim} ({entry['verdict']}). {entry['claim']} {entry['evidence']}" for claim, entry in of.ledger.items()
    ]
    ratio = of.totals["kernel_over_second_moment"]
    told = ["What the book measured on its own networks, and its verdicts."]
    if ratio.known:
        told.append(
            f"This network's kernel is {ratio} times as large as its second moments say: near 1 it is as B3 has it "
            "for Random, Magnitude and SynFlow; far above, its kept weights fit each other, as B4 has it for SNIP and "
            "GraSP."
        )
    return Section("What the ledger says", told, points=points)


def text(of: Diagnosis) -> str:
    """For a terminal."""
    lines = ["Diagnosis of a pruned network"]
    for section in sections(of):
        lines += ["", section.title, "-" * len(section.title)]
        for paragraph in section.paragraphs:
            lines += textwrap.wrap(paragraph, WIDTH)
        for point in section.points:
            lines += textwrap.wrap(point, WIDTH, initial_indent="- ", subsequent_indent="  ")
        for table in section.tables:
            lines += ["", *textwrap.wrap(f"{table.caption}:", WIDTH), *_aligned([list(table.columns), *table.rows])]
            for place, reason in enumerate(table.reasons, 1):
                lines += textwrap.wrap(f"[{place}] {reason}", WIDTH, initial_indent="  ", subsequent_indent="      ")
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
