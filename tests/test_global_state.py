"""A call leaves generators, threads, settings and defaults as it found them, and gives the same numbers anywhere."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numba
import numpy as np
import pandas as pd
import pytest
import torch
from global_state import changes, snapshot
from public_calls import CALLS, Call, numbers_in
from torch import nn

import graphon_lib as gl
from graphon_lib import activations, figures, training
from graphon_lib.sweeps import Study, read_study, run_study

HERE = Path(__file__).parent

# Of a series of few terms, which is quick.
pytestmark = pytest.mark.filterwarnings("ignore:the Hermite series:UserWarning")

QUICK = [call for call in CALLS if not call.costly]


@pytest.fixture
def unusual() -> Iterator[None]:
    """Settings that nobody has by default: what is put back to a default shows."""
    defaults = (torch.get_num_threads(), numba.get_num_threads(), np.geterr(), torch.get_default_dtype())
    torch.set_num_threads(2)
    numba.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.set_flush_denormal(True)
    errors = np.seterr(under="ignore", over="warn", divide="warn", invalid="warn")
    with (
        mpl.rc_context({"figure.dpi": 77, "axes.grid": True}),
        np.printoptions(precision=3),
        pd.option_context("display.max_rows", 7),
        torch.no_grad(),
    ):
        yield
    np.seterr(**errors)
    torch.set_flush_denormal(False)
    torch.set_default_dtype(defaults[3])
    numba.set_num_threads(defaults[1])
    torch.set_num_threads(defaults[0])


def results(call: Call) -> list[np.ndarray]:
    return list(numbers_in(call.function(**call.arguments())))


def same(found: list[np.ndarray], expected: list[np.ndarray]) -> bool:
    return len(found) == len(expected) and all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(found, expected, strict=True)
    )


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_call_leaves_the_state_as_found(call: Call, unusual: None) -> None:
    results(call)  # imports, which may register what they like, and compiles
    before = snapshot()
    results(call)
    assert not changes(before, snapshot())


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_call_that_raises_leaves_the_state_as_found(call: Call, unusual: None) -> None:
    for argument in call.arguments():
        before = snapshot()
        with pytest.raises((ValueError, TypeError)):
            call.function(**call.arguments() | {argument: object()})
        assert not changes(before, snapshot()), argument


def _of_width(*, width: int) -> dict[str, float]:
    return {"path_density": gl.path_density(gl.prune(gl.mlp(1, width, inputs=3, seed=1), "random", 0.5))}


class _FailsForward(nn.Module):
    def forward(self, signal: torch.Tensor) -> torch.Tensor:
        raise ValueError("in the middle")


class _FailsLate(activations.LeakyReLU):
    def dual(self, *arguments: Any) -> Any:
        raise ValueError("in the middle")


X, MASKS = np.random.default_rng(0).normal(size=(300, 5)), [None, None]


def _network() -> nn.Sequential:
    return nn.Sequential(*gl.mlp(1, 4, inputs=5, outputs=3), _FailsForward())


def _digits() -> gl.Dataset:
    return gl.Dataset(torch.from_numpy(X), torch.arange(len(X)) % 3)


@pytest.mark.parametrize(
    ("work", "error"),
    [
        (lambda: gl.train(_network(), None, _digits(), steps=2), ValueError),
        (lambda: training.descend(_network(), None, X, X[:, :3], steps=2, learning_rate=0.1), ValueError),
        (lambda: training.descend(
            gl.mlp(1, 4, inputs=5, outputs=5, activation="linear"), None, X, X, steps=99, learning_rate=1e9),
         FloatingPointError),
        (lambda: gl.empirical_ntk(_network(), None, X), ValueError),
        (lambda: gl.prune(_network(), "snip", 0.5, inputs=X, targets=np.zeros(len(X), int)), ValueError),
        (lambda: gl.graphon_ntk(X, MASKS, activation=_FailsLate(0.5)), ValueError),
        (lambda: gl.graphon_ntk(X, MASKS, activation=lambda z: z / 0), ValueError),
        (lambda: gl.graphon_ntk(1e30 * X, MASKS, dtype=np.float32), FloatingPointError),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_work_that_fails_in_the_middle_leaves_the_state_as_found(
    work: Callable[[], Any], error: type[Exception], unusual: None
) -> None:
    for _ in range(2):  # the first imports
        before = snapshot()
        with pytest.raises(error):
            work()
    assert not changes(before, snapshot())


def test_a_study_and_its_processes_leave_the_state_as_found(tmp_path: Path, unusual: None) -> None:
    study = Study("widths", _of_width, [{"width": 4}, {"width": 6}])
    for folder in ("first", "second"):  # the first imports
        before = snapshot()
        run_study(study, tmp_path / folder, workers=1)
    assert not changes(before, snapshot())
    assert read_study(tmp_path / "second")["path_density"].between(0, 1).all()


def test_figures_leave_the_state_as_found(unusual: None) -> None:
    rows = pd.DataFrame({"histogram": [np.full((2, 2), 0.5)], "method": ["random"], "density": [0.5]})
    for _ in range(2):  # the first imports
        before = snapshot()
        figures.histogram_grid(rows, columns="density")
    assert not changes(before, snapshot())


def test_a_second_thread_gives_the_same_numbers() -> None:
    expected = {call.name: results(call) for call in QUICK}
    found: dict[str, list[np.ndarray]] = {}
    thread = threading.Thread(target=lambda: found.update({call.name: results(call) for call in QUICK}))
    thread.start()
    thread.join()
    assert [name for name, numbers in expected.items() if not same(found[name], numbers)] == []


@pytest.mark.parametrize("threads", [1, 2])
def test_the_number_of_threads_does_not_show(threads: int) -> None:
    expected = {call.name: results(call) for call in QUICK}
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = {call.name: results(call) for call in QUICK}
    finally:
        torch.set_num_threads(before)
    assert [name for name, numbers in expected.items() if not same(found[name], numbers)] == []


def _digests(names: list[str]) -> dict[str, list[bytes]]:
    torch.set_num_threads(1)  # threads do not survive a fork
    return {call.name: [array.tobytes() for array in results(call)] for call in CALLS if call.name in names}


@pytest.mark.parametrize("start", ["forkserver", "spawn"])
def test_another_process_gives_the_same_numbers(start: str) -> None:
    names = [call.name for call in QUICK]
    with multiprocessing.get_context(start).Pool(1) as pool:
        found = pool.apply(_digests, (names,))
    assert found == {call.name: [array.tobytes() for array in results(call)] for call in QUICK}


def test_compiled_code_computes_what_its_python_says(tmp_path: Path) -> None:
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(HERE)}
    command = [sys.executable, "-W", "ignore", "-m", "interpreted", str(tmp_path / "numbers.npz")]
    subprocess.run(command, check=True, env=environment)
    with np.load(tmp_path / "numbers.npz") as interpreted:
        for call in QUICK:
            for place, compiled in enumerate(results(call)):
                found = interpreted[f"{call.name} {place}"]
                # Networks of single precision: compiled sums are in another order.
                np.testing.assert_allclose(found, compiled, rtol=1e-6, atol=1e-12, err_msg=call.name)
