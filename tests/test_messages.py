"""Messages to their last word: what is wrong, what is allowed, what to do. Other tests match how they begin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from graphon_lib import degree_preserving_shuffle, graphon_ntk, mlp, prune, second_moment_ntk
from graphon_lib.graphons import (
    Chain,
    StepGraphon,
    homomorphism_density,
    path_density,
    two_layer_densities,
)
from graphon_lib.graphons.channels import channel_graphs
from graphon_lib.pruning import METHODS, ROUNDS
from graphon_lib.pruning.schemes import SCHEMES, layer_counts, random_masks

HALVES = StepGraphon(np.full((2, 2), 0.5))
THIRDS = StepGraphon(np.full((3, 3), 0.5))
X = np.ones((2, 4))
DENSE = [None, None]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: StepGraphon([0.5]),
            "values has shape (1,), but must be a non-empty matrix (row blocks, columns)",
        ),
        (
            lambda: StepGraphon([[0.5, 1.5]]),
            "values contains 1.5, but a graphon is a probability: clip or rescale it to [0, 1]",
        ),
        (
            lambda: StepGraphon(np.ones((2, 1)), [0.5, 0.4]),
            "row_measure has shape (2,) and sum 0.9, but must be 2 non-negative shares that sum to 1, one a block",
        ),
        (
            lambda: StepGraphon(np.ones((1, 2)), None, [1.0]),
            "column_measure has shape (1,) and sum 1, but must be 2 non-negative shares that sum to 1, one a block",
        ),
        (lambda: StepGraphon.constant(1.5), "c is 1.5, but must be a number in [0, 1]"),
        (
            lambda: StepGraphon.from_function(lambda u, v: u, (2, 0)),
            "blocks is (2, 0), but must be at least 1 along each axis: a whole number, or a pair",
        ),
        (
            lambda: StepGraphon.from_function(max, 2),  # max(u, v) of arrays has no answer
            "f is <built-in function max>, of which no graphon can be made: The truth value of an array with more than "
            "one element is ambiguous. Use a.any() or a.all(); pass a function that takes arrays (n, 1) and (1, m), to "
            "values in [0, 1]",
        ),
        (
            lambda: HALVES.l2_distance(np.eye(2)),
            "other is a ndarray, but must be a StepGraphon; wrap an array as one",
        ),
        (
            lambda: HALVES.l2_distance(THIRDS),
            "other has blocks (3, 3), but this graphon (2, 2), or their measures differ; estimate both with the same "
            "number of blocks",
        ),
        (lambda: Chain(3), "chain is a int, but must be a Chain, or a sequence of StepGraphon or None"),
        (
            lambda: Chain([None]),
            "chain has 1 graphon(s), but a network with a hidden layer has at least 2 layers",
        ),
        (
            lambda: Chain([None, np.eye(2)]),
            "chain[1] is a ndarray, but each layer is a StepGraphon, or None if unpruned; wrap an array as "
            "StepGraphon(values), or turn masks into a chain with estimate_chain",
        ),
        (
            lambda: Chain([None, THIRDS, HALVES]),
            "chain[1] has 3 row blocks and chain[2] has 2 column blocks, but both label the same hidden layer: number "
            "and measures must agree; estimate_chain labels all layers jointly",
        ),
        (
            lambda: Chain([HALVES, None], [[0, 1]]),
            "input_blocks has shape (1, 2) and type int64, but must be one non-negative whole number for each input "
            "coordinate: its column block in the first graphon",
        ),
        (
            lambda: Chain([HALVES, None], [0, 9]),
            "input_blocks names block 9, but there are 2 coordinates and 2 column blocks; count blocks from 0",
        ),
        (
            lambda: Chain([HALVES, None], [0, 0, 1]),
            "input_blocks puts the input coordinates into 2 blocks with largest share 0.6667, but the first graphon "
            "has 2 column blocks with largest measure 0.5; give it column_measure = np.bincount(input_blocks) / "
            "len(input_blocks)",
        ),
        (
            lambda: Chain([HALVES, None], [0, 1]).input_labels(3),
            "inputs have 3 coordinates, but the chain's input_blocks label 2; pass inputs of the network that the "
            "chain was estimated from",
        ),
        (
            lambda: Chain([HALVES, None]).sample((4, 4)),
            "widths is [4, 4], but this chain has 2 layers: pass 3 whole numbers of at least 1, from inputs to outputs",
        ),
        (lambda: path_density([]), "masks is empty; pass at least one layer's mask"),
        (
            lambda: path_density([np.eye(3), np.eye(2)]),
            "masks[1] has 2 columns, but masks[0] has 3 rows; pass the masks of one network, input to output",
        ),
        (
            lambda: channel_graphs({"a": np.eye(3), "b": np.eye(2)}),
            "masks[1] has 2 columns, but masks[0] has 3 rows; pass the masks of one network, input to output",
        ),
        (
            lambda: homomorphism_density(HALVES, "C4", unbiased=True),
            "unbiased=True counts distinct vertices of a finite mask; a graphon needs unbiased=False",
        ),
        (
            lambda: homomorphism_density(np.eye(2), "K23", unbiased=True),
            "graphon_or_mask has shape (2, 2), but unbiased 'K23' needs at least (2, 3) distinct vertices",
        ),
        (
            lambda: homomorphism_density(np.ones(3), "edge"),
            "graphon_or_mask has shape (3,), but a mask is a non-empty matrix (outputs, inputs) of a layer",
        ),
        (
            lambda: homomorphism_density(np.full((1, 1), 0.5), "edge"),
            "graphon_or_mask has entries other than 0 and 1; pass weights != 0 if these are pruned weights",
        ),
        (
            lambda: two_layer_densities(np.eye(3), np.eye(2)),
            "upper has 2 columns, but lower has 3 rows; pass the masks of neighbouring layers, the one nearer to the "
            "input first",
        ),
        (
            lambda: degree_preserving_shuffle(np.eye(2), supersteps=10**9),
            "supersteps is 1000000000, but must be at most 10000; 24 leave nothing to be seen",
        ),
    ],
)
def test_of_graphons(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert str(caught.value) == message


def begun_elsewhere(folder: Path) -> None:
    np.save(folder / "kernel.npy", np.zeros(3))
    graphon_ntk(X, DENSE, out=folder / "kernel.npy")


def of_other_arguments(folder: Path) -> None:
    graphon_ntk(X, DENSE, out=folder / "kernel.npy")
    graphon_ntk(X, DENSE, out=folder / "kernel.npy", weight_variance=1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda _: graphon_ntk(np.ones(4), DENSE),
            "inputs has shape (4,), but must be a non-empty matrix (N inputs, d coordinates)",
        ),
        (
            lambda _: graphon_ntk(X * np.nan, DENSE),
            "inputs contains NaN or infinity; drop or repair these entries first",
        ),
        (
            lambda _: graphon_ntk(X, DENSE, other=np.ones((2, 3))),
            "other has 3 coordinates, but inputs have 4; both go through one network",
        ),
        (
            lambda _: graphon_ntk(X, DENSE, weight_variance=0.0),
            "weight_variance is 0.0, but must be a positive number, such as 2 (He)",
        ),
        (
            lambda _: second_moment_ntk(mlp(1, 5, inputs=4), None, X, activation="erf"),
            "activation is 'erf', but must be positively homogeneous: 'relu', 'leaky_relu' or 'linear'; only there "
            "does each layer's term carry one factor",
        ),
        (
            lambda _: second_moment_ntk(mlp(1, 5, inputs=7), None, X),
            "inputs has 4 coordinates, but the model's first layer takes 7",
        ),
        (
            lambda _: graphon_ntk(X, DENSE, out=[[0.0]]),
            "out is a list, but must be a numpy array, a memory map, or the name of a file",
        ),
        (
            lambda _: graphon_ntk(X, DENSE, out=np.empty((3, 3))),
            "out has shape (3, 3) and type float64, but the kernel has (2, 2) and float64; make it np.empty(shape, "
            "dtype), or pass the name of a file",
        ),
        (
            begun_elsewhere,
            "out is {path!r}, which exists, but was not begun by this function; name another, or delete it",
        ),
        (
            of_other_arguments,
            "out is {path!r}, which holds a kernel of other arguments (or of another version); name another file, or "
            "delete this one and its .tiles",
        ),
    ],
)
def test_of_kernels(call: Callable[[Path], Any], message: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        call(tmp_path)
    assert str(caught.value) == message.format(path=str(tmp_path / "kernel.npy"))


MODEL = mlp(1, 5, inputs=4, outputs=3)
LABELS = np.array([0, 2])
NO_CLASSES = nn.Sequential(nn.Linear(4, 3, bias=False), nn.Unflatten(1, (3, 1)))


def pruned(method: Any = "snip", density: Any = 0.5, model: nn.Module = MODEL, **arguments: Any) -> Any:
    return prune(model, method, density, **arguments)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: pruned("best"),
            f"method is 'best', but must be one of {list(METHODS)}, or a function (model, inputs, targets) that "
            "returns scores",
        ),
        (
            lambda: pruned(rounds=10**9),
            f"rounds is 1000000000, but must be at most {ROUNDS}; each is a pass through the network",
        ),
        (
            lambda: pruned(inputs=X[0], targets=LABELS),
            "inputs has shape (4,), but must be (N, d) with N >= 1, or (N, channels, height, width); pass one row an "
            "image",
        ),
        (
            lambda: pruned(inputs=X * np.nan, targets=LABELS),
            "inputs has entries that are NaN or infinite, but all must be finite; remove those rows",
        ),
        (
            lambda: pruned(inputs=X, targets=LABELS / 2),
            "targets has dtype torch.float64, but must hold class labels; pass whole numbers (int64)",
        ),
        (
            lambda: pruned(inputs=X, targets=LABELS[:1]),
            "targets has shape (1,), but must be (2,): one label a row of inputs",
        ),
        (
            lambda: pruned(inputs=X),
            "targets is None, but snip looks at data; pass inputs=(N, d) images and targets=(N,) labels",
        ),
        (lambda: pruned(density="half"), "density is 'half', but must be a number in (0, 1]; pass a float"),
        (lambda: pruned(density=0), "density is 0, but must be in (0, 1]; it is the kept share, 1 - sparsity"),
        (lambda: pruned(seed=0.5), "seed is 0.5, but must be a whole number of at least 0; pass an int"),
        (lambda: pruned(seed=-1), "seed is -1, but must be a whole number of at least 0"),
        (lambda: pruned(rounds=0), "rounds is 0, but must be a whole number of at least 1"),
        (
            lambda: pruned(lambda *_: {}, targets=LABELS),
            "inputs is None, but targets has labels; pass inputs=(N, d), the images that they belong to",
        ),
        (
            lambda: pruned(lambda *_: {"0.weight": torch.ones(5, 4)}),
            "method '<lambda>' returned ['0.weight'], but must return a dict with scores for each of the model's "
            "prunable layers, ['0.weight', '2.weight']",
        ),
        (
            lambda: pruned(lambda *_: {"0.weight": torch.ones(5, 4), "2.weight": torch.ones(5)}),
            "method '<lambda>' returned a Tensor of shape (5,) for '2.weight', but must return a tensor of the "
            "weight's shape, (3, 5): one score a weight",
        ),
        (
            lambda: pruned(lambda *_: {"0.weight": torch.full((5, 4), torch.inf), "2.weight": torch.ones(3, 5)}),
            "<lambda> scores of '0.weight' are not all finite, even in double precision, so they cannot be ranked; "
            "scale down the model's weights or the inputs",
        ),
        (
            lambda: pruned("phew", model=nn.Sequential(nn.Linear(4, 3), nn.Linear(2, 3))),
            "model has the layer '1.weight' with 2 inputs next to '0.weight' with 3 outputs, but phew walks from each "
            "layer's outputs into the next layer; pass a chain of linear layers, or take another method",
        ),
        (
            lambda: pruned(inputs=X, targets=LABELS, model=NO_CLASSES),
            "model turns inputs of shape (2, 4) into outputs of shape (2, 3, 1), but cross-entropy needs one row of "
            "class scores an input",
        ),
        (
            lambda: pruned(inputs=X, targets=LABELS + 1),
            "targets has labels from 1 to 3, but the model has 3 outputs; labels must be from 0 to 2",
        ),
        (
            lambda: pruned("synflow", model=nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2, 3))),
            "inputs is None, but the model begins with an nn.Conv2d, and synflow needs the shape of an image; pass "
            "inputs=(N, channels, height, width), or whatever the model takes",
        ),
        (
            lambda: layer_counts(MODEL, "even", 0.5),  # type: ignore[arg-type]
            f"scheme is 'even', but must be one of {list(SCHEMES)}; for the densities of other masks pass "
            "counts_of(model, masks) to random_masks",
        ),
        (
            lambda: layer_counts(MODEL, "erk", 1.5),
            "density is 1.5, but must be in (0, 1]; it is the kept share, 1 - sparsity",
        ),
        (
            lambda: random_masks(MODEL, {"0.weight": 3}, 0),
            "counts names ['0.weight'], but must have a number for each of ['0.weight', '2.weight']",
        ),
        (
            lambda: random_masks(MODEL, {"0.weight": 3, "2.weight": 16}, 0),
            "counts['2.weight'] is 16, but must be a whole number from 0 to the layer's 15",
        ),
    ],
)
def test_of_pruning(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert str(caught.value) == message


def test_of_a_layer_that_is_lost() -> None:
    with pytest.warns(UserWarning, match="keeps no weight") as caught:
        pruned(lambda *_: {"0.weight": torch.ones(5, 4), "2.weight": torch.zeros(3, 5)}, 0.5)
    assert str(caught[0].message) == (
        "<lambda> at density 0.5 keeps no weight of '2.weight': no signal passes, and the network's output is "
        "constant; raise density, or take another method (synflow is made to avoid this)"
    )
