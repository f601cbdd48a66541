"""Estimators: exact densities, shared labels, and the cases where the truth is known."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphon_lib.data import load_mnist
from graphon_lib.estimation import estimate_chain, estimate_graphon
from graphon_lib.estimation.sorted_histogram import interval_sums
from graphon_lib.graphons import Chain, StepGraphon, path_density
from graphon_lib.networks import Masks, mlp
from graphon_lib.pruning import prune


def random_mask(rows: int, columns: int, density: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, columns)) < density


def nested(rows: list[int], columns: list[int]) -> np.ndarray:
    """A mask whose row (and column) degrees all differ: the entry at ranks (i, j) is kept where i + j < n."""
    return np.add.outer(np.array(rows), np.array(columns)) < len(rows)


# The sorted histogram


@settings(max_examples=80, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    blocks=st.integers(1, 30),
    density=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_histogram_keeps_the_density_of_masks_of_any_size(
    shape: tuple[int, int], blocks: int, density: float, seed: int
) -> None:
    mask = random_mask(*shape, density, seed)
    graphon = estimate_graphon(mask, blocks=blocks)
    assert graphon.values.shape == (blocks, blocks)
    assert graphon.density() == pytest.approx(mask.mean(), rel=1e-12, abs=1e-15)
    # Densest first: block sums of a sorted sequence are sorted, however the boundaries fall.
    for axis in (0, 1):
        assert (np.diff(graphon.values.mean(axis=axis)) <= 1e-12).all()


@settings(max_examples=40, deadline=None)
@given(blocks=st.integers(1, 6), each=st.tuples(st.integers(1, 5), st.integers(1, 5)), seed=st.integers(0, 99))
def test_histogram_averages_plain_cells_where_blocks_divide_the_size(
    blocks: int, each: tuple[int, int], seed: int
) -> None:
    mask = random_mask(blocks * each[0], blocks * each[1], 0.4, seed)
    rows = sorted(range(len(mask)), key=lambda i: -int(mask[i].sum()))
    columns = sorted(range(mask.shape[1]), key=lambda j: -int(mask[:, j].sum()))
    cells = np.empty((blocks, blocks))
    for r, c in np.ndindex(blocks, blocks):
        above, below = rows[r * each[0] : (r + 1) * each[0]], columns[c * each[1] : (c + 1) * each[1]]
        cells[r, c] = np.mean([mask[i, j] for i in above for j in below])
    np.testing.assert_allclose(estimate_graphon(mask, blocks=blocks).values, cells, atol=1e-14)


@settings(max_examples=60, deadline=None)
@given(vertices=st.integers(1, 50), blocks=st.integers(1, 50), seed=st.integers(0, 99))
def test_interval_sums_add_up_the_step_function_of_the_vertices(vertices: int, blocks: int, seed: int) -> None:
    values, order = random_mask(vertices, 3, 0.5, seed), np.random.default_rng(seed).permutation(vertices)
    # A common refinement: each vertex is `blocks` equal pieces, each block `vertices` of them.
    pieces = np.repeat(values[order], blocks, axis=0)
    expected = pieces.reshape(blocks, vertices, 3).sum(axis=1)
    np.testing.assert_array_equal(interval_sums(values, order, blocks), expected)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    blocks=st.integers(1, 12),
    density=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_histogram_is_correctly_rounded(shape: tuple[int, int], blocks: int, density: float, seed: int) -> None:
    mask = random_mask(*shape, density, seed)
    rows = sorted(range(shape[0]), key=lambda i: -int(mask[i].sum()))
    columns = sorted(range(shape[1]), key=lambda j: -int(mask[:, j].sum()))
    pieces = np.repeat(np.repeat(mask[np.ix_(rows, columns)], blocks, axis=0), blocks, axis=1)
    counts = pieces.reshape(blocks, shape[0], blocks, shape[1]).sum(axis=(1, 3))
    graphon = estimate_graphon(mask, blocks=blocks)
    assert graphon.values.tolist() == [[int(count) / mask.size for count in line] for line in counts]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_histogram_does_not_see_the_order_of_rows_and_columns(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 20))
    ranks = list(range(n))
    blocks = data.draw(st.integers(1, 25))
    shuffled = nested(data.draw(st.permutations(ranks)), data.draw(st.permutations(ranks)))
    expected = estimate_graphon(nested(ranks, ranks), blocks=blocks).values
    np.testing.assert_array_equal(estimate_graphon(shuffled, blocks=blocks).values, expected)


def test_histogram_converges_to_a_monotone_graphon() -> None:
    truth = StepGraphon.from_function(lambda u, v: 0.1 + 0.8 * (1 - u) * (1 - v), 16)
    order = torch.Generator().manual_seed(9)
    errors = []
    for size in (100, 400, 1600):
        mask = truth.sample(size, size, seed=1)
        mask = mask[torch.randperm(size, generator=order)][:, torch.randperm(size, generator=order)]
        errors.append(estimate_graphon(mask, blocks=16).l2_distance(truth) / truth.l2_norm())
    # The noise in a degree falls like size^(-1/2), and with it the error: by half for four times the size.
    assert errors[0] < 0.2
    assert errors[1] < 0.7 * errors[0]
    assert errors[2] < 0.7 * errors[1]
    assert errors[2] < 0.03


def test_the_default_is_what_the_paper_runs() -> None:
    mask = torch.from_numpy(random_mask(130, 70, 0.3, 0))
    default = estimate_graphon(mask)
    assert default.values.shape == (64, 64)
    np.testing.assert_array_equal(default.values, estimate_graphon(mask.numpy(), "sorted_histogram", blocks=64).values)


@pytest.mark.parametrize(
    ("mask", "arguments", "message"),
    [
        (np.eye(3), {"method": "svd"}, r"method is 'svd', but must be one of \['co_histogram', .*, 'usvt'\]"),
        (np.eye(3), {"blocks": 0}, r"blocks is 0, but must be a whole number of at least 1"),
        (np.eye(3), {"blocks": 2.0}, r"blocks is 2\.0, but must be a whole number of at least 1"),
        (np.eye(3), {"blocks": True}, r"blocks is True, but must be a whole number of at least 1"),
        (np.ones(3), {}, r"mask has shape \(3,\), but a mask is a non-empty matrix"),
        (np.eye(3) / 2, {}, r"mask has entries other than 0 and 1; pass weights != 0 if these are pruned weights"),
    ],
)
def test_estimate_graphon_says_what_is_wrong(mask: np.ndarray, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimate_graphon(mask, **arguments)


# The chain


@pytest.fixture(scope="module")
def snip() -> Masks:
    """The masks that the chain estimator was made for: wide, deep and sparse."""
    batch = load_mnist(100, seed=0)
    return prune(mlp(4, 900, seed=0), "snip", 0.05, inputs=batch.inputs, targets=batch.labels)


def test_chain_keeps_the_path_density_of_snip_masks(snip: Masks) -> None:
    exact = path_density(snip)
    chain = estimate_chain(snip)
    assert abs(path_density(chain) / exact - 1) < 0.02
    # Sorting each mask by itself glues the layers together comonotonically: a wrong answer, and not by little.
    assert path_density([estimate_graphon(mask) for mask in snip.values()]) / exact > 1.5
    np.testing.assert_allclose(chain.density(), [mask.double().mean().item() for mask in snip.values()], rtol=1e-12)
    assert [graphon.values.shape for graphon in chain.graphons] == [(64, 64)] * 4 + [(10, 64)]


def test_masks_sampled_from_a_chain_have_its_path_density(snip: Masks) -> None:
    chain = estimate_chain(snip)
    widths = [784, *[900] * 4, 10]
    sampled = [path_density(chain.sample(widths, seed)) for seed in range(5)]
    assert np.mean(sampled) == pytest.approx(path_density(chain), rel=0.02)


chain_widths = st.lists(st.integers(1, 40), min_size=3, max_size=5)


def chain_masks(widths: list[int], density: float, seed: int) -> list[np.ndarray]:
    return [random_mask(b, a, density, seed + i) for i, (a, b) in enumerate(itertools.pairwise(widths))]


@settings(max_examples=60, deadline=None)
@given(widths=chain_widths, blocks=st.integers(1, 30), density=st.floats(0, 1), seed=st.integers(0, 99))
def test_chains_are_block_means_over_one_labelling_a_layer(
    widths: list[int], blocks: int, density: float, seed: int
) -> None:
    masks = chain_masks(widths, density, seed)
    chain = estimate_chain(masks, blocks=blocks)
    np.testing.assert_allclose(chain.density(), [mask.mean() for mask in masks], rtol=1e-12, atol=1e-15)
    inner = math.isqrt(blocks) * (blocks // math.isqrt(blocks))
    for place, width in enumerate(widths):
        outermost = place in (0, len(widths) - 1)
        # In the hidden layers, a product of two numbers of groups; never more blocks than neurons.
        expected = min(width, blocks) if outermost or width <= blocks else inner
        side = chain.graphons[0].column_measure if place == 0 else chain.graphons[place - 1].row_measure
        assert side.size == expected <= blocks
        # Every block has a neuron, and sizes differ by little: no group is empty.
        sizes = side * width
        np.testing.assert_allclose(sizes, np.round(sizes), atol=1e-9)
        assert sizes.min() > 0.5
    for below, above in itertools.pairwise(chain.graphons):
        np.testing.assert_array_equal(below.row_measure, above.column_measure)
    assert chain.input_labels(widths[0]).shape == (widths[0],)


@settings(max_examples=30, deadline=None)
@given(widths=chain_widths, density=st.floats(0, 1), seed=st.integers(0, 99))
def test_with_a_block_a_neuron_the_chain_is_the_masks(widths: list[int], density: float, seed: int) -> None:
    masks = chain_masks(widths, density, seed)
    chain = estimate_chain(masks, blocks=max(widths))
    assert path_density(chain) == pytest.approx(path_density(masks), rel=1e-12, abs=1e-15)
    # Hidden neurons stay in their order; inputs and outputs are sorted by degree, and the labels say how.
    np.testing.assert_array_equal(chain.graphons[0].values[:, chain.input_labels(widths[0])], masks[0])
    for graphon, mask in zip(chain.graphons[1:-1], masks[1:-1], strict=True):
        np.testing.assert_array_equal(graphon.values, mask)


def test_two_layer_path_density_is_exact_where_blocks_tell_all_degrees_apart() -> None:
    # Two kinds of input, two in-degrees times two out-degrees of hidden neuron: four blocks hold all there is.
    first = np.zeros((8, 4), dtype=bool)
    first[:4, :] = True
    first[4:, 0] = True
    second = np.zeros((6, 8), dtype=bool)
    second[:, [0, 1, 4, 5]] = True
    second[:2, [2, 3, 6, 7]] = True
    order = np.random.default_rng(0).permutation(8)
    chain = estimate_chain([first[order], second[:, order]], blocks=4)
    assert sorted(chain.graphons[0].row_measure) == [0.25] * 4
    below, above = chain.graphons
    np.testing.assert_allclose(below.values @ below.column_measure, [1, 1, 1 / 4, 1 / 4])
    np.testing.assert_allclose(above.row_measure @ above.values, [1, 1 / 3, 1, 1 / 3])
    assert path_density(chain) == pytest.approx(path_density([first, second]), rel=1e-12)
    assert path_density(chain) == pytest.approx((4 * 4 * (6 + 2) / 2 + 4 * 1 * (6 + 2) / 2) / (4 * 8 * 6))


def test_chain_keeps_what_in_and_out_degrees_have_to_do_with_each_other() -> None:
    # Neurons with many weights in have few out: sorting each mask by itself hides that.
    chances = np.linspace(0, 1, 100)
    truth = Chain([StepGraphon(chances[:, None]), StepGraphon((1 - chances)[None, :])])
    masks = truth.sample((300, 400, 300), seed=0)
    exact = path_density(masks)
    assert path_density(truth) == pytest.approx(np.mean(chances * (1 - chances)))
    assert path_density(estimate_chain(masks)) == pytest.approx(exact, rel=0.01)
    assert path_density([estimate_graphon(mask) for mask in masks]) > 1.8 * exact


def test_chain_of_a_dict_is_that_of_its_masks_and_repeats_itself() -> None:
    masks = {str(i): torch.from_numpy(m) for i, m in enumerate(chain_masks([30, 50, 20], 0.3, 0))}
    first, again = estimate_chain(masks, blocks=16), estimate_chain(list(masks.values()), blocks=16)
    for a, b in zip(first.graphons, again.graphons, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
    np.testing.assert_array_equal(first.input_blocks, again.input_blocks)


def test_input_blocks_group_coordinates_of_similar_out_degree() -> None:
    mask = np.zeros((20, 6), dtype=bool)
    for column, degree in enumerate([3, 18, 4, 17, 10, 11]):
        mask[:degree, column] = True
    chain = estimate_chain([mask, np.ones((2, 20), dtype=bool)], blocks=3)
    np.testing.assert_array_equal(chain.input_labels(6), [2, 0, 2, 0, 1, 1])


@pytest.mark.parametrize(
    ("masks", "blocks", "message"),
    [
        ([np.eye(3)], 4, r"masks has 1 layer\(s\), but a chain needs the masks of at least 2"),
        ({}, 4, r"masks has 0 layer\(s\), but a chain needs the masks of at least 2"),
        ([np.eye(3), np.eye(2)], 4, r"masks\[1\] has 2 columns, but masks\[0\] has 3 rows; pass the masks of one netw"),
        ([np.eye(3), np.ones(3)], 4, r"masks\[1\] has shape \(3,\), but a mask is a non-empty matrix"),
        ([np.eye(3) / 2, np.eye(3)], 4, r"masks\[0\] has entries other than 0 and 1; pass weights != 0"),
        ([np.eye(3), np.eye(3)], 0, r"blocks is 0, but must be a whole number of at least 1"),
        ([np.eye(3), np.eye(3)], 8.0, r"blocks is 8\.0, but must be a whole number of at least 1"),
        ([np.eye(3), np.eye(3)], True, r"blocks is True, but must be a whole number of at least 1"),
    ],
)
def test_estimate_chain_says_what_is_wrong(masks: Any, blocks: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimate_chain(masks, blocks=blocks)


def test_labels_by_the_sum_of_degrees() -> None:
    # Neurons of degrees (in, out) = (4, 1), (1, 4), (3, 1), (1, 1): sums 5, 5, 4, 2, of which the first comes first.
    into, out_of = np.zeros((4, 5), dtype=bool), np.zeros((4, 4), dtype=bool)
    for neuron, (a, b) in enumerate([(4, 1), (1, 4), (3, 1), (1, 1)]):
        into[neuron, :a], out_of[:b, neuron] = True, True
    chain = estimate_chain([into, out_of], blocks=2, labels="sums")
    np.testing.assert_allclose(chain.graphons[0].row_measure, [0.5, 0.5])
    np.testing.assert_allclose(chain.graphons[0].values.mean(axis=1) * 5, [(4 + 1) / 2, (3 + 1) / 2], atol=0.6)
    assert chain.graphons[1].density() == out_of.mean()


def test_labels_are_of_a_known_kind() -> None:
    with pytest.raises(ValueError, match="labels is 'degrees', but must be 'pairs', of in- and out-degree, or 'sums'"):
        estimate_chain([np.eye(3), np.eye(3)], labels="degrees")  # type: ignore[arg-type]
