"""Sweeps at tiny sizes: what is in their tables, against the same steps taken one by one, and that they repeat."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
import torch

from graphon_lib.data import load_mnist
from graphon_lib.estimation import estimate_graphon
from graphon_lib.networks import Masks, mlp
from graphon_lib.pruning import prune
from graphon_lib.sweeps import (
    mask_sweep,
    trial_seed,
)
from graphon_lib.sweeps.grid import pairs, pruned_mlp

SWEEPS: dict[str, Callable[[int], pd.DataFrame]] = {
    "mask": lambda seed: mask_sweep(
        ["random", "snip"], [12, 20], [0.5, 0.3], depth=3, trials=2, blocks=5, seed=seed
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return {name: sweep(0) for name, sweep in SWEEPS.items()}


def equal(first: pd.DataFrame, second: pd.DataFrame) -> bool:
    """Whether two tables agree to the last bit, arrays in their cells included."""
    return list(first.columns) == list(second.columns) and all(
        np.array_equal(np.stack(first[column].tolist()), np.stack(second[column].tolist())) for column in first
    )


def masks_of_trial(method: str, density: float, depth: int, width: int, trial: int, seed: int = 0) -> Masks:
    """The masks of one trial, from its seed and the public functions alone."""
    this = trial_seed(seed, width, trial)
    batch = load_mnist(100, seed=this)
    model = mlp(depth, width, seed=this)
    return prune(model, method, density, inputs=batch.inputs, targets=batch.labels, seed=this)


# Seeds


def test_trials_of_different_seeds_and_widths_differ() -> None:
    triples = list(itertools.product(range(5), (1, 2, 100, 200), range(5)))
    assert len({trial_seed(*triple) for triple in triples}) == len(triples)
    assert all(0 <= trial_seed(*triple) < 2**32 for triple in triples)
    assert trial_seed(0, 100, 1) != trial_seed(100, 0, 1)


def test_the_seeds_of_stored_results_stay() -> None:
    assert trial_seed(0, 100, 0) == 1505558374


@pytest.mark.parametrize("name", list(SWEEPS))
def test_equal_arguments_give_equal_tables(name: str, tables: dict[str, pd.DataFrame]) -> None:
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    again, other = SWEEPS[name](0), SWEEPS[name](1)
    assert equal(tables[name], again)
    assert not equal(again, other)
    assert torch.equal(state, torch.get_rng_state())
    np.testing.assert_array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("method", ["random", "magnitude", "snip", "grasp", "synflow"])
def test_masks_do_not_depend_on_the_number_of_threads(method: str, threads: Callable[[int], None]) -> None:
    found = []
    for count in (1, 2):
        threads(count)
        found.append(pruned_mlp(method, 0.1, depth=2, width=80, seed=3)[1])
    assert all(torch.equal(a, b) for a, b in zip(found[0].values(), found[1].values(), strict=True))


def test_all_methods_and_densities_share_a_trials_network() -> None:
    models = [
        pruned_mlp(method, density, depth=2, width=10, seed=7)[0]
        for method, density in (("dense", 1.0), ("random", 0.5), ("snip", 0.5), ("snip", 0.2))
    ]
    for other in models[1:]:
        for a, b in zip(models[0].parameters(), other.parameters(), strict=True):
            assert torch.equal(a, b)


def test_dense_keeps_every_weight() -> None:
    model, masks = pruned_mlp("dense", 0.1, depth=2, width=10, seed=7)
    assert [tuple(mask.shape) for mask in masks.values()] == [tuple(w.shape) for w in model.parameters()]
    assert all(mask.dtype == torch.bool and mask.all() for mask in masks.values())


def test_pruned_mlp_takes_the_initialisation() -> None:
    model, _ = pruned_mlp("magnitude", 0.5, depth=1, width=10, initialisation="pytorch", seed=7)
    assert torch.equal(model[0].weight, mlp(1, 10, initialisation="pytorch", seed=7)[0].weight)


def test_dense_runs_once_whatever_the_densities() -> None:
    found = pairs(["snip", "dense", "random"], [0.5, 0.1])
    assert found == [("snip", 0.5), ("snip", 0.1), ("random", 0.5), ("random", 0.1), ("dense", 1.0)]


# Masks


def test_mask_sweep_is_a_row_for_each_hidden_mask(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["mask"]
    assert list(table.columns) == [
        "method", "width", "density", "trial", "layer", "mask_density", "removed_rows", "removed_columns", "histogram",
        "null_histogram",
    ]  # fmt: skip
    keys = list(zip(*(table[column] for column in ("width", "trial", "method", "density", "layer")), strict=True))
    assert keys == list(itertools.product([12, 20], [0, 1], ["random", "snip"], [0.5, 0.3], [1, 2]))
    for row in table.itertuples():
        mask = list(masks_of_trial(row.method, row.density, 3, row.width, row.trial).values())[row.layer].numpy()
        assert mask.shape == (row.width, row.width)
        assert row.mask_density == pytest.approx(mask.mean())
        assert row.removed_rows == pytest.approx(np.mean([not line.any() for line in mask]))
        assert row.removed_columns == pytest.approx(np.mean([not line.any() for line in mask.T]))
        np.testing.assert_array_equal(row.histogram, estimate_graphon(mask, blocks=5).values)
        assert row.null_histogram.shape == (5, 5)


def test_the_null_has_the_masks_density_and_no_structure_but_noise() -> None:
    table = mask_sweep(["synflow"], [100], [0.1], trials=1, blocks=4)
    row = table.iloc[0]
    chance, n = row["mask_density"], 100
    spread = np.sqrt(chance * (1 - chance) / n**2)
    assert abs(row["null_histogram"].mean() - chance) < 4 * spread
    assert row["removed_columns"] > 0.5
    relative = [row[column] / row[column].mean() for column in ("histogram", "null_histogram")]
    assert np.std(relative[0]) > 3 * np.std(relative[1])


def test_dense_masks_are_full() -> None:
    table = mask_sweep(["dense"], [10], [0.2], trials=1, blocks=3)
    row = table.iloc[0]
    assert (row["mask_density"], row["removed_rows"], row["removed_columns"]) == (1, 0, 0)
    np.testing.assert_allclose(row["histogram"], 1)


@pytest.mark.parametrize("depth", [1, 0])
def test_mask_sweep_says_that_it_needs_hidden_masks(depth: int) -> None:
    with pytest.raises(ValueError, match=f"depth is {depth}, but hidden-to-hidden masks need at least 2 hidden layers"):
        mask_sweep(["random"], [10], [0.5], depth=depth)
