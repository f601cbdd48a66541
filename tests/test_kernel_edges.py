"""How a kernel is cut up: the shape of the work, its order, what is kept meanwhile, and what is shown of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from graphon_lib import StepGraphon, graphon_nngp, graphon_ntk
from graphon_lib.activations import as_dual
from graphon_lib.graphons import Chain
from graphon_lib.kernels import recursion, tiles
from graphon_lib.kernels.finite_width import excess_kurtosis
from graphon_lib.kernels.recursion import SIDE, Plan, one_thread, prepare
from graphon_lib.kernels.reduction import merged, reduce

RNG = np.random.default_rng(0)
CHAIN = [StepGraphon(RNG.random((3, 2))), StepGraphon(RNG.random((2, 3)))]


def plan_of(rows: int, columns: int | None = None, activation: str = "relu") -> Plan:
    x, phi = RNG.normal(size=(rows, 4)), as_dual(activation)
    y = None if columns is None else RNG.normal(size=(columns, 4))
    reduced = reduce(Chain(CHAIN), 4, weight_variance=2.0, homogeneous=phi.homogeneous)
    return prepare(x, y, reduced, phi, np.dtype(np.float64))


@pytest.mark.parametrize("blocks", [1, 2, 3, 8, 31, 32, 33, 500, 2048, 2049, 10**6])
def test_what_is_worked_on_at_once_divides_a_tile_and_fits_the_cache(blocks: int) -> None:
    height, width = recursion._working_shape(blocks)
    assert SIDE % height == SIDE % width == 0
    assert height <= width <= 2 * height
    pairs = height * width
    # As many as fit, if at least 64: twice as many would not.
    assert pairs == 64 or pairs * blocks <= recursion.WORKING_ELEMENTS
    assert pairs == SIDE**2 or 2 * pairs * blocks > recursion.WORKING_ELEMENTS


def test_one_thread_holds_for_all_linear_algebra_and_is_put_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with one_thread():
            with one_thread():
                pass
            assert torch.get_num_threads() == 1
            assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_the_last_panels_are_kept_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recursion, "PANEL", SIDE)
    monkeypatch.setattr(recursion, "PANELS", 3)
    plan = plan_of(5 * SIDE)
    first = plan.panel("x", 0)
    assert plan.panel("y", 0) is first  # one set of inputs, one panel
    for start in (SIDE, 2 * SIDE):
        plan.panel("x", start)
    assert plan.panel("x", 0) is first
    plan.panel("x", 3 * SIDE)
    assert sorted(plan._panels) == [("x", start * SIDE) for start in (1, 2, 3)]
    inputs, _, variances = plan.panel("x", 3 * SIDE)
    np.testing.assert_array_equal(inputs, plan.x[:, 3 * SIDE : 4 * SIDE])
    np.testing.assert_array_equal(variances, plan.variances_x[-1][0, 3 * SIDE : 4 * SIDE])
    apart = plan_of(SIDE, 2)
    assert apart.panel("y", 0)[0].shape == (4, 2)


@pytest.mark.parametrize("columns", [None, 5 * SIDE - 3])
def test_tiles_come_panel_by_panel_and_halves_last(monkeypatch: pytest.MonkeyPatch, columns: int | None) -> None:
    monkeypatch.setattr(tiles, "PANEL", 2 * SIDE)
    come: list[tuple[int, int]] = []

    def noted(plan: Plan, row: int, column: int) -> Any:
        come.append((row, column))
        return np.zeros((min(SIDE, plan.shape[0] - row), min(SIDE, plan.shape[1] - column)))

    monkeypatch.setattr(tiles, "compute", noted)
    monkeypatch.setattr(tiles.torch, "get_num_threads", lambda: 1)
    plan = plan_of(5 * SIDE - 3, columns)
    tiles.run(plan)
    places = [(r * SIDE, c * SIDE) for r, c in itertools.product(range(5), repeat=2)]
    assert sorted(come) == [(r, c) for r, c in places if columns is not None or c <= r]
    halves = [] if columns is not None else [(r, r) for r, c in places if r == c]
    assert come[len(come) - len(halves) :] == halves
    whole = come[: len(come) - len(halves)]
    panels = [(r // (2 * SIDE), c // (2 * SIDE)) for r, c in whole]
    assert panels == sorted(panels)
    assert all(a < b for (p, a), (q, b) in itertools.pairwise(zip(panels, whole, strict=True)) if p == q)


def test_progress_counts_what_a_file_has_already(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Shown on terminals only, after two seconds, and gone in the end: tqdm's own settings."""
    bars: list[dict[str, Any]] = []

    def bar(source: Iterable[Any], **settings: Any) -> Iterable[Any]:
        bars.append(settings)
        return source

    monkeypatch.setattr(tiles, "tqdm", bar)
    x = RNG.normal(size=(SIDE + 1, 4))
    graphon_ntk(x, CHAIN, out=tmp_path / "kernel.npy")
    listed = tmp_path / "kernel.npy.tiles"
    listed.write_text("".join(listed.read_text().splitlines(keepends=True)[:2]))
    graphon_ntk(x, CHAIN, out=tmp_path / "kernel.npy")
    always = {"desc": "kernel", "unit": "tile", "disable": None, "delay": 2, "leave": False}
    assert bars == [{"total": 3, "initial": 0, **always}, {"total": 3, "initial": 1, **always}]


def test_one_coordinate_one_input_and_one_block_are_enough() -> None:
    """Theta = 2 x y of a linear network without hidden nonlinearity, layer by layer: S_1 = 2 x y, S_2 = 2 S_1."""
    chain = Chain([StepGraphon.constant(0.5), None], [0])
    x, y = np.array([[3.0]]), np.array([[-0.25]])
    covariance = 2 * (2 * 0.5 * 3 * -0.25)
    np.testing.assert_allclose(graphon_nngp(x, chain, other=y, activation="linear"), [[covariance]], rtol=1e-15)
    np.testing.assert_allclose(graphon_ntk(x, chain, other=y, activation="linear"), [[2 * covariance]], rtol=1e-15)


@pytest.mark.parametrize(("proportional", "classes"), [(True, [0, 0, 1, -1]), (False, [0, 1, 2, 3])])
def test_rows_are_one_within_rounding_of_their_largest_entry(proportional: bool, classes: list[int]) -> None:
    rows = 1e-3 * np.array([[1.0, 0.5], [4.0, 2.0], [1.0, 0.5 + 1e-14], [0.0, 0.0]])
    representatives, members, factors = merged(rows, proportional=proportional)
    np.testing.assert_array_equal(members, classes)
    np.testing.assert_array_equal(representatives, np.unique(np.array(classes)[np.array(classes) >= 0], True)[1])
    np.testing.assert_allclose(factors, [1, 4, 1, 1] if proportional else np.ones(4))
    near = rows[:1] * np.array([[1.0], [1 + 1e-15], [1 + 1e-14]])
    np.testing.assert_array_equal(merged(near, proportional=False)[1], [0, 0, 1])


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        (
            {"inputs": np.full((2, 3), 1e90), "weight_variance": 1e200},
            ValueError,
            "inputs, weight_variance or activation is so large that variances leave the range of double precision; "
            "scale it down",
        ),
        (
            {"inputs": np.full((2, 3), 1e19), "dtype": "float32"},
            FloatingPointError,
            "the kernel of inputs 0 to 1 leaves the range of float32; scale inputs or weight_variance down, or pass "
            "dtype=np.float64",
        ),
    ],
)
def test_kernels_beyond_the_range_of_numbers_are_told(
    options: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error) as caught:
        graphon_ntk(chain=[None, None], **options)
    assert str(caught.value) == sentence


def test_excess_kurtosis_is_of_one_input() -> None:
    with pytest.raises(ValueError, match=r"^x has shape \(2, 3\), but must be one input \(d,\), not all zero"):
        excess_kurtosis(Chain([None, None]), np.ones((2, 3)), 8)
