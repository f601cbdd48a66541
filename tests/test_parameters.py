"""A notebook's parameters: what passes, what stops, and the sentence it stops with."""

import math
import os
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import get_args

import nbformat
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from graphon_lib import parameters
from graphon_lib.parameters import (
    Count,
    DataSources,
    Densities,
    Density,
    Depth,
    Images,
    LearningRate,
    LearningRates,
    Methods,
    ParameterError,
    Seed,
    Sparsities,
    Sparsity,
    Trials,
    Width,
    Widths,
    check,
    whole,
    widths,
)
from graphon_lib.pruning import METHODS

METHOD_NAMES = list(METHODS)


def test_values_come_back_as_one_frozen_object():
    found = check({"widths": [100, 200], "trials": 3}, widths=Widths, trials=Trials)
    assert found.widths == [100, 200]
    assert found.trials == 3
    assert repr(found) == "Parameters(widths=[100, 200], trials=3)"
    with pytest.raises(FrozenInstanceError):
        found.trials = 4


@settings(deadline=None)
@given(
    widths_=st.lists(st.integers(1, 10**4), min_size=1, max_size=6, unique=True).map(sorted),
    count=st.integers(1, 10**6),
    seed=st.integers(0, 2**32 - 1),
    density=st.floats(0, 1, exclude_min=True),
    sparsities=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=6, unique=True),
    methods=st.lists(st.sampled_from(METHOD_NAMES), min_size=1, unique=True),
    rate=st.floats(0, exclude_min=True, allow_infinity=False),
)
def test_everything_in_range_passes_as_it_is_and_as_text(widths_, count, seed, density, sparsities, methods, rate):
    values = {
        "widths": widths_,
        "count": count,
        "seed": seed,
        "density": density,
        "sparsities": sparsities,
        "methods": methods,
        "rate": rate,
    }
    types = {
        "widths": Widths,
        "count": Count,
        "seed": Seed,
        "density": Density,
        "sparsities": Sparsities,
        "methods": Methods,
        "rate": LearningRate,
    }
    assert vars(check(values, **types)) == values
    assert vars(check({name: str(value) for name, value in values.items()}, **types)) == values


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Widths, "[100, 200]", [100, 200]),
        (Methods, "[snip, random]", ["snip", "random"]),
        (Methods, "['snip']", ["snip"]),
        (LearningRate, "1e-3", 1e-3),
        (LearningRates, "[1e-3, .1]", [1e-3, 0.1]),
        (Images, "[100, 1000]", [100, 1000]),
        (DataSources, "[teacher]", ["teacher"]),
        (Densities, "[1e-2, .5, 1]", [0.01, 0.5, 1.0]),
        (Densities, ["1e-2"], [0.01]),
        (bool, "true", True),
        (str, "3", "3"),
    ],
)
def test_text_is_read_as_the_command_line_gives_it(kind, text, value):
    assert check({"it": text}, it=kind).it == value


WHOLE = "a whole number of at least 1; pass for example -p it 1"
LIST = "a list of 1 or more whole numbers of at least 1, each larger than the one before; pass for example -p it '[1]'"
NAMES = (
    f"a list of one or more different names out of {', '.join(METHODS)}; "
    """pass for example -p it '["random", "snip"]'"""
)


@pytest.mark.parametrize(
    ("kind", "values", "allowed"),
    [
        (Count, [0, -3, 2.5, 2.0, True, None, "many", "2.5", "[1", "2024-13-45", [1]], WHOLE),
        (Trials, [0], WHOLE),
        (Width, [0], WHOLE),
        (Depth, [0], WHOLE),
        (Seed, [-1, 0.5, False, 2**32], "a whole number from 0 to 4294967295; pass for example -p it 0"),
        (
            Density,
            [0, 0.0, 1.5, -0.1, math.nan, math.inf, True, "dense", None],
            "a number above 0 and at most 1; pass for example -p it 0.1",
        ),
        (Sparsity, [1, 1.0, -0.1, math.nan], "a number of at least 0 and below 1; pass for example -p it 0.9"),
        (LearningRate, [0, -1e-3, math.inf, math.nan], "a number above 0; pass for example -p it 0.001"),
        (
            LearningRates,
            [[], [0.1, 0.1], [0], 0.1, [math.nan]],
            "a list of one or more different numbers above 0; pass for example -p it '[0.001, 0.01]'",
        ),
        (
            Densities,
            [[], [0.0], [0.1, 0.1], 0.1, "0.1", [math.nan]],
            "a list of one or more different numbers above 0 and at most 1; pass for example -p it '[0.1, 0.5]'",
        ),
        (
            Sparsities,
            [[], [1.0], [0.5, 0.5]],
            "a list of one or more different numbers of at least 0 and below 1; pass for example -p it '[0.5, 0.9]'",
        ),
        (Widths, [[], [0], [200, 100], [100, 100], 100, "100", [100.5], [True], (1, 2), "[100,"], LIST),
        (Methods, [[], ["lottery"], ["snip", "snip"], "snip", "[Snip]"], NAMES),
        (
            Images,
            [[], [9], [5001], [100, 100], 100, [100.0]],
            "a list of one or more different whole numbers from 10 to 5000; pass for example -p it '[100, 1000]'",
        ),
        (
            DataSources,
            [[], ["cifar"], ["mnist", "mnist"], "mnist"],
            "a list of one or more different names out of mnist, teacher; "
            """pass for example -p it '["mnist", "teacher"]'""",
        ),
        (whole(2, 8), [1, 9], "a whole number from 2 to 8; pass for example -p it 2"),
        (
            widths(8, 64),
            [[7], [8, 65]],
            "a list of 1 or more whole numbers from 8 to 64, each larger than the one before; "
            "pass for example -p it '[8]'",
        ),
    ],
)
def test_what_is_impossible_is_said_in_one_sentence(kind, values, allowed):
    for value in values:
        with pytest.raises(ParameterError) as caught:
            check({"it": value}, it=kind)
        assert str(caught.value) == f"parameter 'it' is {value!r}, but must be {allowed}"


@pytest.mark.parametrize(
    "kind",
    [Count, Trials, Width, Depth, Seed, Density, Sparsity, LearningRate, Densities, Sparsities, Widths, Methods, Images,
     DataSources, LearningRates],
)  # fmt: skip
def test_the_example_a_sentence_gives_is_accepted(kind):
    with pytest.raises(ParameterError) as caught:
        check({"it": {}}, it=kind)
    argument = re.search(r"-p it (.*)$", str(caught.value)).group(1).strip("'")
    check({"it": argument}, it=kind)
    check({"it": yaml.safe_load(argument)}, it=kind)


def test_a_type_of_elsewhere_gets_a_sentence_too():
    with pytest.raises(
        ParameterError, match=r"^parameter 'it' is 'x', which cannot be: Input should be a valid boolean"
    ):
        check({"it": "x"}, it=bool)


def test_an_unknown_parameter_is_named_with_its_nearest():
    with pytest.raises(ParameterError) as caught:
        check({"widths": [1], "width": [2], "trials": 1}, widths=Widths, trials=Count)
    assert str(caught.value) == (
        "parameter 'width' is unknown (did you mean 'widths'?); this notebook's parameters are widths, trials"
    )
    with pytest.raises(ParameterError, match=r"^parameter 'zzz' is unknown; this notebook's parameters are trials$"):
        check({"zzz": 1, "trials": 1}, trials=Count)
    with pytest.raises(ParameterError, match=r"^parameter 'zzz' is unknown; this notebook's parameters are none$"):
        check({"zzz": 1})


def test_a_missing_parameter_is_named():
    with pytest.raises(ParameterError, match=r"^parameter 'seed' is missing; set it in the cell tagged 'parameters'$"):
        check({"trials": 2}, trials=Count, seed=Seed)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(ParameterError) as caught:
        check({"trial": 2, "density": 7}, trials=Count, density=Density)
    lines = str(caught.value).splitlines()
    assert [line.split(",")[0].split(";")[0] for line in lines] == [
        "parameter 'trial' is unknown (did you mean 'trials'?)",
        "parameter 'trials' is missing",
        "parameter 'density' is 7",
    ]


def test_what_a_notebook_holds_besides_parameters_is_no_parameter():
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    cells = [
        "trials = 3",
        "import math\nimport numpy as np\nfrom graphon_lib.parameters import Count, Widths, check\n_private = 1",
        "parameters = check(globals(), trials=Count)",
        "wrong = 2",
        "again = check(globals(), trials=Count)",
    ]
    results = [shell.run_cell(cell) for cell in cells]
    assert all(result.success for result in results[:4])
    assert shell.user_ns["parameters"].trials == 3
    error = results[4].error_in_exec
    assert "parameter 'wrong' is unknown" in str(error)
    assert error._render_traceback_() == [f"ParameterError: {error}"]


def run(folder, *arguments):
    environment = os.environ | {"PYTHONPATH": str(Path(parameters.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_papermill_stops_at_the_first_cell_with_the_sentence(tmp_path):
    cells = [
        nbformat.v4.new_code_cell("widths = [100, 200]\ntrials = 3", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(
            "from graphon_lib.parameters import Count, Widths, check\n\n"
            "parameters = check(globals(), widths=Widths, trials=Count)"
        ),
        nbformat.v4.new_code_cell("print(parameters)\nopen('work', 'w').close()"),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), tmp_path / "in.ipynb")
    stopped = run(tmp_path, "-p", "width", "100", "-p", "trials", "0", "-p", "widths", "[200, 100]")
    assert stopped.returncode != 0
    for sentence in (
        "parameter 'width' is unknown (did you mean 'widths'?); this notebook's parameters are widths, trials",
        "parameter 'trials' is 0, but must be a whole number of at least 1",
        "parameter 'widths' is '[200, 100]', but must be a list of 1 or more whole numbers of at least 1",
    ):
        assert sentence in stopped.stderr
    assert not (tmp_path / "work").exists()
    passed = run(tmp_path, "-p", "widths", "[8, 16]", "-p", "trials", "2")
    assert passed.returncode == 0, passed.stderr
    assert (tmp_path / "work").exists()
    executed = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert executed.cells[-1].outputs[0].text == "Parameters(widths=[8, 16], trials=2)\n"


def test_methods_are_those_of_prune():
    assert get_args(parameters.MethodName) == METHODS
