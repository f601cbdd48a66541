"""Twins of pruned networks, and the studies that train them and take their kernels apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from graphon_lib import (
    empirical_ntk,
    estimate_chain,
    graphon_ntk,
    load_mnist,
    path_density,
    predicted_loss,
    spectrum,
    train,
)
from graphon_lib.data import load_indian_pines
from graphon_lib.networks import forward
from graphon_lib.sweeps import curves, curves_study, ladder_study, log_ranks, rung_by_rung, training_study
from graphon_lib.sweeps.curves import curve
from graphon_lib.sweeps.grid import pruned_mlp, trial_seed
from graphon_lib.sweeps.ladder import METRICS, RUNGS, climb, initial_speed, kernel_metrics
from graphon_lib.sweeps.starts import start
from graphon_lib.sweeps.twins import TWINS, twin

SMALL = {"depth": 2, "width": 24, "initialisation": "he", "seed": 0}


@pytest.fixture(scope="module")
def pruned():
    return pruned_mlp("snip", 0.3, depth=2, width=24, seed=5)


# Twins


def counts(masks, axis):
    return [mask.sum(dim=axis) for mask in masks.values()]


def test_the_first_twin_is_the_network_itself(pruned):
    assert twin("own", *pruned, seed=5) == pruned


@pytest.mark.parametrize("kind", TWINS[1:])
def test_twins_have_fresh_weights_of_the_same_kind(pruned, kind):
    model, masks = pruned
    other, theirs = twin(kind, model, masks, initialisation="pytorch", seed=5)
    assert list(theirs) == list(masks)
    for name, weight in model.named_parameters():
        drawn = dict(other.named_parameters())[name]
        assert drawn.shape == weight.shape == theirs[name].shape
        assert abs(np.corrcoef(drawn.detach().flatten(), weight.detach().flatten())[0, 1]) < 0.2
        assert drawn.abs().max() <= drawn.shape[1] ** -0.5  # PyTorch's own initialisation is uniform
    again, same = twin(kind, model, masks, initialisation="pytorch", seed=5)
    assert all(torch.equal(a, b) for a, b in zip(other.parameters(), again.parameters(), strict=True))
    assert all(torch.equal(theirs[name], same[name]) for name in theirs)


def test_twins_keep_what_they_are_named_after(pruned):
    model, masks = pruned
    assert twin("fresh", model, masks, seed=5)[1] is masks
    _, layers = twin("layers", model, masks, seed=5)
    assert [mask.sum() for mask in layers.values()] == [mask.sum() for mask in masks.values()]
    assert any(not torch.equal(a, b) for a, b in zip(counts(layers, 1), counts(masks, 1), strict=True))
    _, degrees = twin("degrees", model, masks, seed=5)
    for axis in (0, 1):
        assert all(torch.equal(a, b) for a, b in zip(counts(degrees, axis), counts(masks, axis), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(degrees.values(), masks.values(), strict=True))


def test_sampled_twins_follow_the_chain_they_are_given(pruned):
    model, masks = pruned
    chain = estimate_chain(masks, blocks=1)
    sampled = [twin("sampled", model, masks, chain=chain, seed=seed)[1] for seed in range(20)]
    kept = np.mean([[mask.double().mean() for mask in drawn.values()] for drawn in sampled], axis=0)
    np.testing.assert_allclose(kept, chain.density(), atol=0.05)
    assert twin("sampled", model, masks, seed=1)[1].keys() == masks.keys()


def test_other_twins_are_not_known(pruned):
    with pytest.raises(ValueError, match=r"kind is 'identical', but must be one of \['own', 'fresh', 'sampled'"):
        twin("identical", *pruned, seed=5)


# Training


def test_dense_networks_have_no_twins_and_come_once():
    study = training_study(["random", "dense"], [0.5, 0.1], twins=["own", "layers"], trials=2)
    found = [(c["trial"], c["method"], c["density"], c["twin"]) for c in study.configurations]
    each = [("random", 0.5, "own"), ("random", 0.5, "layers"), ("random", 0.1, "own"), ("random", 0.1, "layers")]
    assert found == [(trial, *one) for trial in (0, 1) for one in [*each, ("dense", 1.0, "own")]]
    assert training_study(["snip"], [0.5], trials=[7]).configurations[0]["trial"] == 7


def test_a_start_is_what_train_gives():
    options = {"optimizer": "sgd", "learning_rate": 0.05, "steps": 3}
    found = start(method="magnitude", density=0.4, twin="own", data="mnist", trial=1, **options, **SMALL)
    this = trial_seed(0, 24, 1)
    curve = train(*pruned_mlp("magnitude", 0.4, depth=2, width=24, seed=this), load_mnist(), seed=this, **options)
    np.testing.assert_allclose(found["losses"], curve.losses, rtol=1e-6)
    assert found["early_loss"] == curve.mean()


def test_training_that_diverges_has_an_infinite_loss_and_no_curve():
    options = {"optimizer": "sgd", "learning_rate": 1e12, "steps": 9}
    found = start(method="dense", density=1.0, twin="own", data="mnist", trial=0, **options, **SMALL)
    assert found == {"losses": [], "early_loss": np.inf}


def test_the_second_data_set_has_its_own_networks():
    model, masks = pruned_mlp("random", 0.5, depth=1, width=8, data="indian_pines", seed=0)
    assert [tuple(mask.shape) for mask in masks.values()] == [(8, 200), (16, 8)]
    assert forward(model, masks, load_indian_pines(3).inputs).shape == (3, 16)


# The ladder


@pytest.fixture(scope="module")
def climbed():
    return climb(method="snip", density=0.3, rungs="abcdefg", data="mnist", images=30, blocks=9, trial=0, **SMALL)


def test_the_top_the_limit_and_what_lies_at_rest_are_what_the_library_computes(climbed):
    model, masks = pruned_mlp("snip", 0.3, depth=2, width=24, seed=trial_seed(0, 24, 0))
    sample = load_mnist(30, seed=0)
    kernels = {
        "a": empirical_ntk(model, masks, sample.inputs),
        "d": graphon_ntk(sample.inputs, estimate_chain(masks, blocks=9)),
    }
    for rung, kernel in kernels.items():
        of = spectrum(kernel)
        assert climbed[f"{rung}_scale"] == pytest.approx(np.trace(kernel) / 30)
        assert climbed[f"{rung}_lambda_1"] == pytest.approx(of.eigenvalues[0] / 30)
        assert climbed[f"{rung}_concentration"] == pytest.approx(of.concentration)
        kept = of.eigenvalues[log_ranks(30) - 1] / of.eigenvalues.sum()
        np.testing.assert_allclose(climbed[f"{rung}_eigenvalues"], kept, rtol=1e-5, atol=1e-8)
    assert climbed["path_density"] == path_density(masks)
    outputs = forward(model, masks, sample.inputs).detach().double()
    assert climbed["initial_loss"] == pytest.approx(float(torch.nn.functional.cross_entropy(outputs, sample.labels)))
    sizes = [model.get_parameter(n).detach().double().abs() * m * (m.shape[1] / 2) ** 0.5 for n, m in masks.items()]
    chain = sizes[2] @ sizes[1] @ sizes[0]
    assert climbed["weighted_paths"] == pytest.approx(float(chain.mean()) / 24**2)


def test_every_rung_is_there_and_the_dense_limit_is_the_same_on_all(climbed):
    assert {f"{rung}_{metric}" for rung in RUNGS for metric in METRICS} <= set(climbed)
    dense = climb(method="dense", density=1.0, rungs="de", data="mnist", images=30, blocks=9, trial=0, **SMALL)
    assert "a_scale" not in dense
    assert dense["d_effective_rank"] == pytest.approx(dense["e_effective_rank"], rel=0.1)


def test_the_speed_is_the_loss_a_small_step_takes_off():
    """Of a linear model, whose kernel is the same for each class: x x^T."""
    sample = load_mnist(20, seed=0)
    features = torch.from_numpy(np.random.default_rng(0).normal(size=(20, 6)))
    weight = torch.from_numpy(np.random.default_rng(1).normal(size=(10, 6))).requires_grad_()
    labels, kernel = sample.labels, (features @ features.T).numpy()

    loss = torch.nn.functional.cross_entropy(features @ weight.T, labels)
    loss.backward()
    slope = float((weight.grad**2).sum())  # what gradient flow takes off in unit time
    outputs = (features @ weight.T).detach()
    residual = (outputs.softmax(dim=1) - torch.nn.functional.one_hot(labels, 10)).numpy()
    assert initial_speed(kernel, residual) == pytest.approx(slope)


def test_a_kernel_of_nothing_has_no_spectrum():
    found = kernel_metrics(np.zeros((6, 6)), torch.arange(6))
    assert found["scale"] == found["lambda_1"] == 0
    assert np.isnan(found["gap"])
    assert found["eigenvalues"] == []
    assert np.isnan(kernel_metrics(np.full((6, 6), 0.1), torch.arange(6))["alignment"])


@pytest.mark.parametrize("size", [2, 31, 256, 1024])
def test_ranks_run_from_first_to_last(size):
    ranks = log_ranks(size)
    assert (ranks[0], ranks[-1]) == (1, size)
    assert (np.diff(ranks) > 0).all()
    assert len(ranks) <= 32


def test_rungs_in_long_form(climbed):
    study = ladder_study(["snip"], [0.3], trials=2)
    rows = pd.DataFrame([{**configuration, **climbed} for configuration in study.configurations])
    long = rung_by_rung(rows.drop(columns=[c for c in rows if c.startswith("b_")]))
    assert sorted(long["rung"].unique()) == ["a", "c", "d", "e", "f", "g"]
    assert len(long) == 12
    assert long.query("rung == 'd'")["scale"].tolist() == [climbed["d_scale"]] * 2


# Curves


def test_curves_are_measured_and_predicted_from_every_rung():
    found = curve(method="snip", density=0.5, network="own", depth=2, width=64, images=12, steps=6, trial=0, seed=0)
    assert {name[0] for name in found if name.endswith("_error")} == set(RUNGS)
    model, masks = pruned_mlp("snip", 0.5, depth=2, width=64, seed=trial_seed(0, 64, 0))
    sample = load_mnist(12, seed=0)
    targets = torch.nn.functional.one_hot(sample.labels, 10).double() - 0.1
    residual = forward(model, masks, sample.inputs).detach().double() - targets
    assert found["losses"][0] == pytest.approx(float((residual**2).sum()) / 24, rel=1e-6)
    kernel = empirical_ntk(model, masks, sample.inputs)
    rate = 0.2 * 12 / spectrum(kernel).eigenvalues[0]
    predicted = predicted_loss(kernel, residual.numpy(), steps=6, learning_rate=rate)
    np.testing.assert_allclose(found["a_losses"], predicted, rtol=1e-4)
    error = np.sqrt(np.mean((predicted - found["losses"]) ** 2)) / found["losses"][0]
    assert found["a_error"] == pytest.approx(error, rel=1e-4)
    assert found["a_error"] < 0.1 < found["d_error"]
    assert 0 < found["movement"] < 1


def test_fresh_networks_are_predicted_from_their_own_kernel_and_the_limits():
    found = curve(method="random", density=0.5, network="fresh", depth=1, width=200, images=8, steps=4, trial=0, seed=0)
    assert {name[0] for name in found if name.endswith("_error")} == {"a", "d"}
    assert max(found["a_error"], found["d_error"]) < 0.1


def test_descent_that_diverges_is_predicted_by_nothing(monkeypatch):
    def diverging(*_args, **_options):
        raise FloatingPointError

    monkeypatch.setattr(curves, "descend", diverging)
    found = curve(method="random", density=0.5, network="fresh", depth=1, width=20, images=8, steps=4, trial=0, seed=0)
    assert found["losses"] == found["a_losses"] == found["d_losses"] == []
    assert found["movement"] == found["a_error"] == found["d_error"] == np.inf


def test_kernels_under_which_descent_would_diverge_predict_nothing(monkeypatch):
    monkeypatch.setattr(curves, "graphon_ntk", lambda inputs, _chain: 1e9 * np.eye(len(inputs)))
    found = curve(method="random", density=0.5, network="fresh", depth=1, width=20, images=8, steps=4, trial=0, seed=0)
    assert found["d_losses"] == []
    assert found["d_error"] == np.inf
    assert np.isfinite(found["a_error"])


def test_curves_go_through_widths_settings_and_networks():
    study = curves_study(["random", "dense"], [0.5], widths=[8, 16], trials=1)
    assert [(c["width"], c["method"], c["network"]) for c in study.configurations] == [
        (width, method, network) for width in (8, 16) for method in ("random", "dense") for network in ("own", "fresh")
    ]
