"""Training under masks against the textbook loop, and what it may never do."""

import copy
import io
import itertools
import math
import re
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from tqdm import tqdm

from graphon_lib.data import Dataset, load_mnist
from graphon_lib.networks import forward, mlp
from graphon_lib.training import OPTIMIZERS, stochastic, train


def blobs(samples=40, coordinates=6, classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Dataset(torch.randn(samples, coordinates, generator=generator), torch.arange(samples) % classes)


def network(seed=0):
    return mlp(2, 8, inputs=6, outputs=3, seed=seed)


def random_masks(model, density, seed):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand(weight.shape, generator=generator) < density for name, weight in model.named_parameters()}


@settings(max_examples=20, deadline=None)
@given(
    density=st.floats(0.05, 1),
    optimizer=st.sampled_from(sorted(OPTIMIZERS)),
    batch_size=st.integers(1, 40),
    steps=st.integers(1, 12),
    seed=st.integers(0, 1000),
)
def test_equals_the_textbook_loop(density, optimizer, batch_size, steps, seed):
    """There: every forward pass multiplies weights and masks, and autograd goes through the product."""
    model, dataset = network(seed), blobs()
    masks = random_masks(model, density, seed)
    curve = train(
        model, masks, dataset, steps=steps, batch_size=batch_size, optimizer=optimizer, learning_rate=0.01, seed=seed
    )
    reference = copy.deepcopy(model)
    updater = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[optimizer](reference.parameters(), lr=0.01)
    generator, order, losses = torch.Generator().manual_seed(seed), torch.empty(0, dtype=torch.int64), []
    for _ in range(steps):
        if len(order) < batch_size:
            order = torch.randperm(len(dataset), generator=generator)
        batch, order = order[:batch_size], order[batch_size:]
        outputs = forward(reference, masks, dataset.inputs[batch])
        loss = -outputs.log_softmax(dim=1)[torch.arange(batch_size), dataset.labels[batch]].mean()
        losses.append(loss.item())
        updater.zero_grad()
        loss.backward()
        updater.step()
    np.testing.assert_allclose(curve.losses, losses, rtol=1e-4, atol=1e-6)
    trained = dict(curve.model.named_parameters())
    for name, weight in reference.named_parameters():
        torch.testing.assert_close(trained[name], weight * masks[name], rtol=1e-3, atol=1e-5)
        assert (trained[name][~masks[name]] == 0).all()


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_a_full_batch_step_is_the_formula(optimizer):
    """One linear layer: the gradient of cross-entropy is (softmax - onehot)^T x / N; Adam's first step is its sign."""
    model, dataset = nn.Sequential(nn.Linear(6, 3, bias=False)), blobs()
    mask = torch.rand(3, 6, generator=torch.Generator().manual_seed(1)) < 0.5
    start = model[0].weight.detach() * mask
    probabilities = (dataset.inputs @ start.T).softmax(dim=1)
    gradient = (probabilities - torch.eye(3)[dataset.labels]).T @ dataset.inputs / len(dataset) * mask
    step = gradient if optimizer == "sgd" else gradient.sign()
    curve = train(model, {"0.weight": mask}, dataset, steps=1, batch_size=40, optimizer=optimizer, learning_rate=0.1)
    torch.testing.assert_close(curve.model[0].weight, start - 0.1 * step, rtol=1e-4, atol=1e-5)


def test_real_digits_are_learned_and_the_model_is_left_alone():
    model, dataset = mlp(2, 64, seed=0), load_mnist(500)
    masks = random_masks(model, 0.3, 0)
    before = copy.deepcopy(model.state_dict())
    state = torch.get_rng_state()
    curve = train(model, masks, dataset, steps=100)
    assert curve.losses.shape == (100,)
    assert curve.losses.dtype == np.float64
    assert curve.losses[-10:].mean() < math.log(10) / 2  # guessing costs log 10
    assert curve.mean() == pytest.approx(sum(curve.losses) / 100)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    for name, weight in curve.model.named_parameters():
        assert (weight[~masks[name]] == 0).all()
        assert (weight[masks[name]] != before[name][masks[name]]).any()


def test_no_masks_means_dense():
    model, dataset = network(), blobs()
    full = {name: torch.ones_like(weight) for name, weight in model.named_parameters()}
    dense = train(model, None, dataset, steps=5, batch_size=10)
    assert np.array_equal(dense.losses, train(model, full, dataset, steps=5, batch_size=10).losses)
    as_arrays = {"2.weight": np.zeros((8, 8))}
    cut = train(model, as_arrays, dataset, steps=5, batch_size=10).model
    assert not cut[2].weight.any()
    assert cut[0].weight.any()


def test_seed_decides_the_order_and_dropout():
    model, dataset = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3)), blobs()
    state = torch.get_rng_state()
    first = train(model, None, dataset, steps=5, batch_size=10, seed=1)
    other = train(model, None, dataset, steps=5, batch_size=10, seed=2)
    assert not np.array_equal(first.losses, other.losses)
    assert torch.equal(torch.get_rng_state(), state)
    with torch.random.fork_rng(devices=[]):
        torch.rand(3)  # wherever the global generator stands
        again = train(model, None, dataset, steps=5, batch_size=10, seed=1)
    assert np.array_equal(first.losses, again.losses)


SEEN = []


class Recorder(nn.Module):
    def forward(self, inputs):
        SEEN.append(inputs[:, 0].int().tolist())
        return inputs


@settings(max_examples=20, deadline=None)
@given(batch_size=st.integers(1, 10), seed=st.integers(0, 1000))
def test_every_epoch_draws_without_replacement_in_a_new_order(batch_size, seed):
    dataset = Dataset(torch.arange(10.0)[:, None], torch.zeros(10, dtype=torch.int64))
    SEEN.clear()
    per_epoch = 10 // batch_size
    train(
        nn.Sequential(Recorder(), nn.Linear(1, 1)), None, dataset, steps=3 * per_epoch, batch_size=batch_size, seed=seed
    )
    epochs = [list(itertools.chain(*SEEN[start : start + per_epoch])) for start in range(0, 3 * per_epoch, per_epoch)]
    assert all(len(batch) == batch_size for batch in SEEN)
    assert all(len(set(epoch)) == per_epoch * batch_size for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_a_frozen_layer_stays():
    model = network()
    model[0].weight.requires_grad_(False)
    masks = random_masks(model, 0.5, 0)
    trained = train(model, masks, blobs(), steps=3, batch_size=10).model
    assert torch.equal(trained[0].weight, model[0].weight * masks["0.weight"])


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "delay", "shown"), [(Terminal, 0, True), (Terminal, 60, False), (io.StringIO, 0, False)]
)
def test_progress_appears_only_in_a_terminal_and_only_when_it_takes_long(monkeypatch, stream, delay, shown):
    asked = []

    def bar(*arguments, **options):
        asked.append(options["delay"])
        return tqdm(*arguments, **(options | {"delay": delay}))

    monkeypatch.setattr(sys, "stderr", stream())
    monkeypatch.setattr(stochastic, "tqdm", bar)
    train(network(), None, blobs(), steps=3, batch_size=10)
    assert asked == [2]
    assert ("training" in sys.stderr.getvalue()) == shown


def test_a_loss_that_is_not_finite_stops():
    with pytest.raises(
        FloatingPointError, match=r"the loss at step \d+ is (nan|inf): training with learning_rate=1e\+30 "
    ):
        train(network(), None, blobs(), steps=50, batch_size=10, optimizer="sgd", learning_rate=1e30)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"steps": 0}, "steps is 0, but must be a whole number from 1 to 10000000"),
        ({"steps": 2.5}, "steps is 2.5, but must be a whole number"),
        ({"batch_size": 0}, "batch_size is 0, but must be a whole number of at least 1"),
        ({"batch_size": 41}, "batch_size is 41, but dataset has 40 images; pass a smaller batch or more images"),
        ({"optimizer": "lbfgs"}, "optimizer is 'lbfgs', but must be one of ['adam', 'sgd']"),
        ({"learning_rate": 0}, "learning_rate is 0, but must be positive and finite"),
        ({"learning_rate": float("nan")}, "learning_rate is nan, but must be positive and finite"),
        ({"masks": {"9.weight": torch.ones(1)}}, "masks names '9.weight'"),
        ({"dataset": blobs(coordinates=5)}, "dataset has inputs of 5 coordinates, but model takes 6; build the model"),
        ({"dataset": blobs(classes=4)}, "dataset has the label 3, but model has 3 outputs, for labels 0 to 2; build"),
        ({"model": nn.Sequential(nn.ReLU())}, "model is a Sequential without nn.Linear layers"),
    ],
)
def test_impossible_arguments(changed, message):
    arguments = {"model": network(), "masks": None, "dataset": blobs(), "batch_size": 10} | changed
    with pytest.raises(ValueError, match=re.escape(message)):
        train(**arguments)
