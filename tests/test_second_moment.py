"""The kernel that second moments of kept weights predict, against the networks themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm

from graphon_lib import empirical_ntk, graphon_ntk, mlp, path_density, prune, second_moment_ntk
from graphon_lib.graphons import StepGraphon

X = np.random.default_rng(0).normal(size=(12, 40))


def brute_shares(model: torch.nn.Module, masks: dict[str, torch.Tensor]) -> list[float]:
    """P_l by products of whole matrices."""
    weights = [w.detach().double().numpy() for w in model.parameters()]
    kept = [m.double().numpy() for m in masks.values()]
    second = [m * w**2 * w.shape[1] / 2 for m, w in zip(kept, weights, strict=True)]
    found = []
    for layer in range(len(kept)):
        product = np.eye(weights[0].shape[1])
        for place, (m, v) in enumerate(zip(kept, second, strict=True)):
            product = (m if place == layer else v) @ product / m.shape[1]
        found.append(product.sum() / product.shape[0])
    return found


def test_shares_are_products_of_matrices_and_weigh_the_layers_of_the_dense_kernel() -> None:
    model = mlp(2, 30, inputs=40, outputs=3)
    masks = prune(model, "magnitude", 0.3)
    found = second_moment_ntk(model, masks, X)
    np.testing.assert_allclose(found.shares, brute_shares(model, masks), rtol=1e-12)
    dense = graphon_ntk(X, [None] * 3)
    assert found.scale == pytest.approx((np.diag(found.kernel) / np.diag(dense)).mean(), rel=1e-12)
    # Shares of 1 for one layer alone pick out its term; terms add up to the dense kernel.
    np.testing.assert_allclose(second_moment_ntk(model, None, X).kernel.shape, dense.shape)
    halves = second_moment_ntk(model, masks, X[:5], other=X[5:]).kernel
    np.testing.assert_allclose(halves, found.kernel[:5, 5:], rtol=1e-12)


def test_without_a_mask_shares_are_one_up_to_the_luck_of_the_weights() -> None:
    model = mlp(2, 400, inputs=40, outputs=10)
    found = second_moment_ntk(model, None, X)
    np.testing.assert_allclose(found.shares, 1, atol=0.15)
    single = second_moment_ntk(model, None, X, dtype=np.float32).kernel
    assert np.abs(single - found.kernel).max() <= 1e-5 * found.kernel.max()


def test_magnitude_pruning_keeps_the_second_moment_of_a_truncated_gaussian() -> None:
    density, width = 0.2, 600
    model = mlp(2, width, inputs=width, outputs=width)
    masks = {name: prune(model, "magnitude", density)[name] for name, _ in model.named_parameters()}
    cut = norm.isf(density / 2)
    moment = 2 * (cut * norm.pdf(cut) + norm.sf(cut))  # E[w^2; |w| > cut]
    shares = second_moment_ntk(model, masks, np.ones((1, width))).shares
    np.testing.assert_allclose(shares, density * moment**2, rtol=0.02)
    assert (shares > 5 * path_density(masks)).all()


@pytest.mark.parametrize("method", ["random", "magnitude", "synflow"])
def test_networks_as_pruned_have_the_predicted_kernel(method: str) -> None:
    """Where the mask depends on sizes only. Its graphon alone is wrong by the factor that large weights carry."""
    predicted, limits, measured = [], [], []
    for seed in range(10):
        model = mlp(2, 200, inputs=40, outputs=20, seed=seed)
        masks = prune(model, method, 0.3, inputs=torch.from_numpy(X).float(), seed=seed, rounds=20)
        predicted.append(second_moment_ntk(model, masks, X).kernel)
        limits.append(graphon_ntk(X, [StepGraphon.constant(float(m.float().mean())) for m in masks.values()]))
        measured.append(empirical_ntk(model, masks, X))
    ratios = [np.trace(m) / np.trace(p) for m, p in zip(measured, predicted, strict=True)]
    error = np.std(ratios, ddof=1) / np.sqrt(len(ratios))
    assert abs(np.mean(ratios) - 1) < 3 * error + 0.01
    assert error < 0.04
    if method != "random":
        assert np.mean([np.trace(m) / np.trace(limit) for m, limit in zip(measured, limits, strict=True)]) > 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activation": "erf"}, "activation is 'erf', but must be positively homogeneous: 'relu', 'leaky_relu'"),
        ({"weight_variance": 0.0}, "weight_variance is 0.0, but must be a positive number"),
        ({"inputs": X[:, :3]}, "inputs has 3 coordinates, but the model's first layer takes 40"),
        ({"other": X[:, :3]}, "other has 3 coordinates, but the model's first layer takes 40"),
        ({"inputs": X[0]}, r"inputs has shape \(40,\), but must be a non-empty matrix"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        second_moment_ntk(**{"model": mlp(1, 5, inputs=40), "masks": None, "inputs": X, **arguments})  # type: ignore[arg-type]
