"""Merging blocks: the same kernel from fewer of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphon_lib.graphons import Chain, StepGraphon
from graphon_lib.kernels.reduction import merged, reduce

RNG = np.random.default_rng(0)


def shapes(chain: Chain, inputs: int, *, homogeneous: bool) -> list[tuple[int, ...]]:
    return [a.shape for a in reduce(chain, inputs, weight_variance=2.0, homogeneous=homogeneous).operators]


def general(rows: int, columns: int) -> StepGraphon:
    return StepGraphon(RNG.uniform(0.1, 1, size=(rows, columns)))


def test_general_chains_keep_their_blocks() -> None:
    chain = Chain([general(5, 3), general(4, 5), general(2, 4)])
    assert shapes(chain, 6, homogeneous=True) == shapes(chain, 6, homogeneous=False) == [(5, 3), (4, 5), (1, 4)]


def test_a_first_layer_of_rank_one_collapses_the_chain_for_homogeneous_activations_only() -> None:
    first = StepGraphon(np.outer(RNG.random(5), RNG.random(3)))
    chain = Chain([first, general(4, 5), general(2, 4)])
    assert shapes(chain, 6, homogeneous=True) == [(1, 1), (1, 1), (1, 1)]
    assert shapes(chain, 6, homogeneous=False) == [(5, 1), (4, 5), (1, 4)]


@pytest.mark.parametrize("homogeneous", [True, False])
def test_equal_rows_unpruned_layers_and_constants_merge_for_all(homogeneous: bool) -> None:
    repeated = StepGraphon(np.repeat(RNG.random((2, 3)), 4, axis=0))
    chain = Chain([repeated, general(6, 8), None, StepGraphon.constant(0.3)])
    assert shapes(chain, 6, homogeneous=homogeneous) == [(2, 3), (6, 2), (1, 6), (1, 1)]


def test_what_no_path_uses_is_dropped() -> None:
    first, second, third = RNG.uniform(0.1, 1, (4, 5)), RNG.uniform(0.1, 1, (4, 4)), RNG.uniform(0.1, 1, (2, 4))
    first[:, 1] = 0  # an input group that nobody reads
    second[:, 2] = 0  # a block that nobody reads
    second[3] = 0  # a block that reads nobody
    chain = Chain([StepGraphon(first), StepGraphon(second), StepGraphon(third)])
    assert shapes(chain, 5, homogeneous=True) == [(3, 4), (3, 3), (1, 3)]
    # phi(0) of a neuron without input may be passed on.
    assert shapes(chain, 5, homogeneous=False) == [(3, 4), (4, 3), (1, 4)]
    reduced = reduce(chain, 5, weight_variance=2.0, homogeneous=True)
    np.testing.assert_array_equal(reduced.groups, [0, -1, 1, 2, 3])


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 12), columns=st.integers(1, 4), proportional=st.booleans())
def test_rows_are_factors_times_their_representatives(seed: int, rows: int, columns: int, proportional: bool) -> None:
    rng = np.random.default_rng(seed)
    classes = rng.random((3, columns)) * (rng.random((3, columns)) < 0.7)
    given_rows = classes[rng.integers(3, size=rows)]
    if proportional:
        given_rows = given_rows * rng.uniform(0.1, 10, size=(rows, 1))
    representatives, members, factors = merged(given_rows, proportional=proportional)
    assert len(representatives) <= 3
    seen = members >= 0
    rebuilt = factors[seen, None] * given_rows[representatives[members[seen]]]
    np.testing.assert_allclose(rebuilt, given_rows[seen], rtol=1e-13)
    assert (given_rows[~seen] == 0).all()
