"""What enters the library: forms of one array, sentences for what is none, and for what has no room."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import graphon_lib as gl
from graphon_lib import activations, arguments, data, movement, networks, pruning, separation, training
from graphon_lib.arguments import (
    array,
    finite,
    floats,
    module,
    number,
    one_of,
    positive,
    precision,
    room,
    tensor,
    whole,
)
from graphon_lib.kernels.finite_width import excess_kurtosis

CLEAN = np.arange(6.0).reshape(2, 3)


def frozen(values: np.ndarray) -> np.ndarray:
    copy = values.copy()
    copy.flags.writeable = False
    return copy


@pytest.mark.parametrize(
    "values",
    [
        CLEAN.tolist(), CLEAN[::-1][::-1], frozen(CLEAN), CLEAN.astype(">f8"), CLEAN.astype(object),
        CLEAN.astype(np.int8),
        CLEAN.astype(np.longdouble), [[Decimal(0), 1, 2], [3, 4, 5]], torch.from_numpy(CLEAN).requires_grad_(),
        torch.from_numpy(CLEAN).bfloat16(), torch.from_numpy(CLEAN).to_sparse(), list(torch.from_numpy(CLEAN)),
    ],
)  # fmt: skip
def test_forms_of_one_array(values: Any) -> None:
    np.testing.assert_array_equal(floats("x", values), CLEAN)
    assert floats("x", values).dtype == np.float64
    np.testing.assert_array_equal(tensor("x", values).detach().double().numpy(), CLEAN)


def test_a_tensor_stays_itself_and_an_array_is_copied() -> None:
    given = torch.ones(2)
    assert tensor("x", given) is given
    copied = tensor("x", CLEAN)
    copied[0, 0] = 7
    assert CLEAN[0, 0] == 0
    assert tensor("x", [[True, False]]).dtype == torch.bool


def test_numbers_of_many_kinds() -> None:
    assert [whole("n", value) for value in (3, np.int64(3), np.uint8(3))] == [3] * 3
    assert [number("x", value) for value in (0.5, np.float32(0.5), Decimal("0.5"))] == [0.5] * 3
    assert precision("dtype", "float32") == np.float32


X, MODEL = np.random.default_rng(0).normal(size=(4, 5)), gl.mlp(1, 4, inputs=5, outputs=3)
META = torch.empty(4, 5, device="meta")
HUGE = 10**9


def unweighted() -> nn.Module:
    layer = nn.Linear(5, 3, bias=False)
    layer.weight = nn.Parameter(torch.empty(0, 5))
    return layer


def huge() -> nn.Module:
    model = gl.mlp(1, 4, inputs=5)
    for parameter in model.parameters():
        parameter.data *= 1e30
    return model


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: whole("n", True), ValueError, "n is True, but must be a whole number of at least 0"),
        (lambda: whole("n", 5, 1, 3), ValueError, "n is 5, but must be a whole number from 1 to 3"),
        (lambda: number("x", float("nan")), ValueError, "x is nan, but must be a finite number"),
        (lambda: number("x", 10**400), ValueError, "x is 1000"),
        (lambda: positive("x", 0), ValueError, "x is 0, but must be positive and finite"),
        (lambda: one_of("name", ["a"], "ab"), ValueError, "name is ['a'], but must be one of ['a', 'b']"),
        (lambda: precision("dtype", None), ValueError, "dtype is None, but must be float64 or float32"),
        (lambda: precision("dtype", "x"), ValueError, "dtype is 'x', but must be float64 or float32"),
        (lambda: room("n", HUGE, 1e18), ValueError, "n is 1000000000, which takes 9.31e+08 GB of memory, but this mac"),
        (lambda: array("x", ["a"]), TypeError, "x has dtype <U1, but must hold real numbers; convert them"),
        (lambda: array("x", [1, "a", None]), TypeError, "x holds text, but must hold real numbers"),
        (lambda: array("x", np.array([1, "a"], object)), TypeError, "x holds text, but must hold real numbers"),
        (lambda: array("x", [object()]), TypeError, "x holds objects that are no real numbers (float() argument must"),
        (lambda: array("x", [1j]), TypeError, "x has dtype complex128, but must hold real numbers"),
        (lambda: array("x", [[1], [1, 2]]), ValueError, "x is no array of numbers (setting an array element with a"),
        (lambda: array("x", META), ValueError, "x is on the meta device, which holds no data; move it"),
        (lambda: tensor("x", torch.ones(1) + 1j), TypeError, "x has dtype torch.complex64, but must hold real numbers"),
        (lambda: tensor("x", torch.ones(1).expand(10**13)), ValueError, "x is 'a tensor of shape (10000000000000,)',"),
        (lambda: array("x", np.broadcast_to(1, (10**7, 10**7))), ValueError, "x is 'an array of shape (10000000, 1000"),
        (lambda: finite("x", [1, np.nan]), ValueError, "x contains NaN or infinity; drop or repair these entries firs"),
        (lambda: finite("x", [1, -1e200]), ValueError, "x contains -1e+200, whose powers overflow; scale it down to a"),
        (lambda: module("model", nn.Linear), TypeError, "model is a type, but must be an nn.Module; pass a model, not"),
        (lambda: module("model", nn.LazyLinear(3)), ValueError, "model has a parameter 'weight' without a shape yet;"),
        (lambda: module("model", gl.mlp(1, 4).to("meta")), ValueError, "model's parameter '0.weight' is on the meta d"),
    ],
)  # fmt: skip
def test_what_is_no_number_no_array_and_no_model(
    wrong: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        wrong()


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: gl.mlp(HUGE, 4), ValueError, "(depth, width, inputs, outputs) is (1000000000, 4, 784, 10), which tak"),
        (lambda: networks.cnn(HUGE, 4), ValueError, "(depth, channels, image, outputs) is (1000000000, 4, (1, 28, 28)"),
        (lambda: gl.mlp(1, 4, seed=-1), ValueError, "seed is -1, but must be a whole number from 0 to 184467440737095"),
        (lambda: data.gaussian_teacher(HUGE, 99), ValueError, "(samples, dimension) is (1000000000, 99), which takes"),
        (lambda: gl.Dataset(X * 1e39, [0] * 4), ValueError, "inputs has entries beyond single precision, 3e38; scale"),
        (lambda: networks.check_masks(MODEL, [X]), TypeError, "masks is a list, but must be a dict from parameter nam"),
        (lambda: gl.prune(unweighted(), "random", 0.5), ValueError, "model has layers, but no weight in them, so ther"),
        (lambda: gl.prune(gl.mlp(1, 4, inputs=5), "random", []), ValueError, "density is empty, but must be a number"),
        (lambda: gl.prune(gl.mlp(1, 4, inputs=5), "synflow", 0.5, rounds=HUGE), ValueError,
         f"rounds is 1000000000, but must be at most {pruning.ROUNDS}; each is a pass through the network"),
        (lambda: gl.prune(gl.mlp(1, 4, inputs=5), "snip", 0.5, inputs=X, targets=[-1, 0, 0, 0]), ValueError,
         "targets has the entry -1, but classes are counted from 0; shift them"),
        (lambda: gl.train(MODEL, None, X), TypeError, "dataset is a ndarray, but must be a Dataset; pass Dataset(inpu"),
        (lambda: gl.train(gl.mlp(1, 4, inputs=5).requires_grad_(False), None, gl.Dataset(X, [0] * 4), batch_size=2),
         ValueError, "model has no parameter that requires a gradient, so nothing to train; unfreeze some"),
        (lambda: gl.train(huge(), None, gl.Dataset(X, [0] * 4), batch_size=2),
         FloatingPointError, "the loss before any step is nan: model or dataset holds too large numbers; scale them"),
        (lambda: training.descend(gl.mlp(1, 4, inputs=5).requires_grad_(False), None, X, X, steps=1, learning_rate=1),
         ValueError, "model has no weight that requires a gradient, so nothing to train; unfreeze some"),
        (lambda: training.descend(gl.mlp(1, 4, inputs=5, outputs=5), None, X, X * 1e200, steps=1, learning_rate=1),
         FloatingPointError, "the loss before any step is inf: model, inputs or targets hold too large numbers; scale"),
        (lambda: training.descend(gl.mlp(1, 4, inputs=5), None, X, X, steps=1, learning_rate=1e31), ValueError,
         "learning_rate times weight_variance is 2e+31, but must be at most 1e+30"),
        (lambda: gl.StepGraphon.from_function(lambda u, v: u * v, HUGE), ValueError, "blocks is 1000000000, which tak"),
        (lambda: gl.StepGraphon.from_function(lambda u, v: "x", 2), ValueError, "of which no graphon can be made: f(u"),
        (lambda: gl.StepGraphon.constant(0.5).sample(HUGE, HUGE), ValueError, "(rows, columns) is (1000000000, 100000"),
        (lambda: gl.StepGraphon.constant(0.5).l2_distance(X), TypeError, "other is a ndarray, but must be a StepGraph"),
        (lambda: gl.Chain(3), TypeError, "chain is a int, but must be a Chain, or a sequence of StepGraphon or None"),
        (lambda: gl.Chain([None, None], [10**12]), ValueError, "input_blocks names block 1000000000000, but there are"),
        (lambda: gl.Chain([None, None]).input_labels(10**12), ValueError, "inputs is 1000000000000, which takes"),
        (lambda: gl.Chain([None, None]).sample([HUGE] * 3), ValueError, "widths is [1000000000, 1000000000, 100000000"),
        (lambda: gl.degree_preserving_shuffle(np.eye(2), supersteps=HUGE), ValueError, "supersteps is 1000000000, but"),
        (lambda: gl.cut_norm(X, starts=10**12), ValueError, "starts is 1000000000000, which takes"),
        (lambda: gl.cut_norm(X * 1e200), ValueError, "whose powers overflow; scale it down to at most 1e+100"),
        (lambda: gl.path_density(3), TypeError, "chain_or_masks is a int, but must be a Chain, or the graphons or mas"),
        (lambda: gl.homomorphism_density(np.eye(2), "edge", "x"), TypeError, "unbiased is 'x', but must be True or Fa"),
        (lambda: gl.estimate_graphon(np.eye(2), blocks=HUGE), ValueError, "blocks is 1000000000, which takes"),
        (lambda: gl.estimate_chain(3), TypeError, "masks is a int, but must be the masks of one network, input to out"),
        (lambda: gl.graphon_ntk(X, [None] * 4, weight_variance=1e300), ValueError,
         "inputs, weight_variance or activation is so large that variances leave the range of double precision"),
        (lambda: gl.graphon_ntk(X, [None] * 2, other=X, activation=activations.LeakyReLU(1e100), weight_variance=1e200),
         ValueError, "inputs, weight_variance or activation is so large"),
        (lambda: gl.graphon_ntk(1e30 * X, [None] * 2, dtype="float32"), FloatingPointError,
         "the kernel of inputs 0 to 3 leaves the range of float32; scale inputs or weight_variance down, or pass"),
        (lambda: activations.LeakyReLU(1e200), ValueError, "negative_slope is 1e+200, but must be a finite number, at"),
        (lambda: excess_kurtosis([None], X[0], 4), TypeError, "chain is a list, but must be a Chain; pass Chain(graph"),
        (lambda: excess_kurtosis(gl.Chain([None] * 2), X, 4), ValueError, "x has shape (4, 5), but must be one input"),
        (lambda: movement.movement([1, 2]), TypeError, "values is a list, but must map widths to the values of their"),
        (lambda: separation.separation(X, [0, 1], [2, 3]), ValueError, "distances has shape (4, 5), but must be (n, n"),
        (lambda: separation.separation(np.ones((4, 4)), [0.5, 1], [2, 3]), ValueError, "first has shape (2,) and type"),
        (lambda: separation.separation(np.ones((4, 4)), [0, 1], [2, 4]), ValueError, "second names members beyond the"),
        (lambda: separation.separation(np.ones((4, 4)), [0, 1], [1, 2]), ValueError, "first and second name a member"),
        (lambda: separation.separation(np.zeros((4, 4)), [0, 1], [2, 3]), ValueError, "distances are zero between mem"),
        (lambda: separation.separation_interval(np.zeros((6, 6)), [0, 1, 2], [3, 4, 5]), ValueError, "distances are z"),
    ],
)  # fmt: skip
def test_what_the_public_functions_refuse(
    wrong: Callable[[], Any], error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arguments, "memory", lambda: 2**33)
    with pytest.raises(error, match=re.escape(message)):
        wrong()
