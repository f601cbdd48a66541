"""Networks, prunable layers, masks in and out, and the masked forward pass."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations, prune

from graphon_lib.networks import ACTIVATION_LAYERS, Erf, check_masks, forward, masks_of, mlp, prunable_layers

SIZE = st.integers(1, 9)


def weights_of(model: nn.Module) -> list[torch.Tensor]:
    return [layer.weight.detach() for layer in prunable_layers(model).values()]


@settings(max_examples=30, deadline=None)
@given(depth=st.integers(1, 5), width=SIZE, inputs=SIZE, outputs=SIZE, activation=st.sampled_from(["relu", "erf"]))
def test_mlp_has_the_layers_asked_for(depth: int, width: int, inputs: int, outputs: int, activation: str) -> None:
    model = mlp(depth, width, inputs=inputs, outputs=outputs, activation=activation)
    widths = [inputs, *[width] * depth, outputs]
    assert [name for name, _ in model.named_parameters()] == [f"{2 * i}.weight" for i in range(depth + 1)]
    assert [tuple(w.shape) for w in weights_of(model)] == [(b, a) for a, b in itertools.pairwise(widths)]
    assert list(prunable_layers(model)) == [name for name, _ in model.named_parameters()]
    kind = nn.ReLU if activation == "relu" else Erf
    assert [type(layer) for layer in model] == [nn.Linear, kind] * depth + [nn.Linear]
    images = torch.linspace(-1, 1, 3 * inputs).view(3, inputs)
    hidden = images.numpy()
    for i, weight in enumerate(weights_of(model)):
        hidden = hidden @ weight.numpy().T
        if i < depth:
            hidden = np.maximum(hidden, 0) if activation == "relu" else np.vectorize(math.erf)(hidden)
    np.testing.assert_allclose(model(images).detach().numpy(), hidden, rtol=1e-4, atol=1e-5)


def test_defaults_are_those_of_mnist_and_relu() -> None:
    model = mlp(2, 16)
    assert [tuple(w.shape) for w in weights_of(model)] == [(16, 784), (16, 16), (10, 16)]
    assert all(w.dtype == torch.float32 and not w.is_meta for w in weights_of(model))
    assert isinstance(model[1], nn.ReLU)
    assert all(torch.equal(a, b) for a, b in zip(weights_of(model), weights_of(mlp(2, 16, seed=0)), strict=True))


@pytest.mark.parametrize("name", sorted(ACTIVATION_LAYERS))
def test_every_activation_follows_every_hidden_layer(name: str) -> None:
    model = mlp(2, 4, inputs=3, activation=name)
    assert [type(layer) for layer in model] == [nn.Linear, ACTIVATION_LAYERS[name]] * 2 + [nn.Linear]
    assert list(prunable_layers(model)) == ["0.weight", "2.weight", "4.weight"]
    z = torch.tensor([-1.0, 2.0])
    # The functions themselves are compared with those of the kernels in test_activations.
    expected = {"relu": [0.0, 2.0], "leaky_relu": [-0.01, 2.0], "linear": [-1.0, 2.0]}
    if name in expected:
        assert model[3](z).tolist() == pytest.approx(expected[name])


def test_he_weights_are_gaussian_of_variance_two_over_fan_in() -> None:
    for weight in weights_of(mlp(1, 400, inputs=300, outputs=200, seed=3)):
        scaled = weight.double() * math.sqrt(weight.shape[1] / 2)
        spread = 1 / math.sqrt(scaled.numel())
        assert scaled.mean().abs() < 4 * spread
        # The second and fourth moments of a standard Gaussian are 1 and 3, estimated with variances 2 and 96.
        assert ((scaled**2).mean() - 1).abs() < 4 * math.sqrt(2) * spread
        assert ((scaled**4).mean() - 3).abs() < 4 * math.sqrt(96) * spread


def test_pytorch_weights_are_uniform_of_variance_one_over_three_fan_in() -> None:
    for weight in weights_of(mlp(1, 400, inputs=300, outputs=200, initialisation="pytorch", seed=3)):
        scaled = weight.double() * math.sqrt(weight.shape[1])
        spread = 1 / math.sqrt(scaled.numel())
        assert scaled.abs().max() <= 1 + 1e-6
        assert scaled.abs().max() > 0.999
        assert scaled.mean().abs() < 4 * spread / math.sqrt(3)
        # The second moment of a uniform variable on [-1, 1] is 1/3, estimated with variance 4/45.
        assert ((scaled**2).mean() - 1 / 3).abs() < 4 * math.sqrt(4 / 45) * spread


@pytest.mark.parametrize("initialisation", ["he", "pytorch"])
def test_seeds_decide_the_weights_and_the_global_generator_stays(initialisation: str) -> None:
    before = torch.get_rng_state()
    first, again, other = (weights_of(mlp(2, 8, initialisation=initialisation, seed=s)) for s in (4, 4, 5))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_sizes_may_be_numpy_integers() -> None:
    model = mlp(np.int64(1), np.int64(5), inputs=np.int32(4), outputs=np.int64(3))
    assert [type(layer.in_features) for layer in prunable_layers(model).values()] == [int, int]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth": 0}, "depth is 0, but must be a whole number of at least 1"),
        ({"width": 2.5}, "width is 2.5, but must be a whole number of at least 1"),
        ({"width": True}, "width is True, but"),
        ({"inputs": -1}, "inputs is -1, but"),
        ({"outputs": "10"}, "outputs is '10', but"),
        ({"activation": "swish"}, r"activation is 'swish', but must be one of \['erf', 'gelu', .*, 'tanh'\]"),
        ({"initialisation": "xavier"}, r"initialisation is 'xavier', but must be one of \['he', 'pytorch'\]"),
    ],
)
def test_impossible_networks(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mlp(**{"depth": 1, "width": 3, **change})


def test_prunable_layers_of_nested_modules_in_order() -> None:
    model = nn.ModuleDict({"a": nn.Sequential(nn.Conv2d(2, 1, (1, 3)), nn.Linear(3, 4)), "b": nn.Linear(4, 2)})
    assert {name: tuple(layer.weight.shape) for name, layer in prunable_layers(model).items()} == {
        "a.0.weight": (1, 2, 1, 3),
        "a.1.weight": (4, 3),
        "b.weight": (2, 4),
    }
    assert list(prunable_layers(nn.Linear(2, 2))) == ["weight"]


def test_models_that_cannot_be_pruned() -> None:
    with pytest.raises(
        ValueError, match=r"model is a ReLU without nn.Linear layers or nn.Conv2d ones, so there is nothing to prune"
    ):
        prunable_layers(nn.ReLU())
    masked = mlp(1, 3, inputs=3)
    prune.random_unstructured(masked[2], "weight", 0.5)
    with pytest.raises(ValueError, match=r"carries a torch.nn.utils.prune mask on '2.weight'; read it with masks_of"):
        prunable_layers(masked)
    for value in (float("nan"), float("inf")):
        broken = mlp(1, 3, inputs=3)
        with torch.no_grad():
            broken[2].weight[0, 0] = value
        with pytest.raises(ValueError, match=r"weights of '2.weight' are not all finite"):
            prunable_layers(broken)
    tied = mlp(2, 3, inputs=3)
    tied[2].weight = tied[0].weight
    computed = mlp(2, 3, inputs=3)
    parametrizations.weight_norm(computed[2])
    for model in (tied, computed):
        with pytest.raises(ValueError, match=r"weight '2.weight' is not a parameter of its own: .*; untie it"):
            prunable_layers(model)


def test_masks_go_to_torch_and_come_back() -> None:
    model = mlp(1, 6, inputs=4, outputs=3)
    generator = torch.Generator().manual_seed(0)
    masks = {n: torch.rand(w.weight.shape, generator=generator) < 0.5 for n, w in prunable_layers(model).items()}
    layers = prunable_layers(model)
    for name, layer in layers.items():
        prune.custom_from_mask(layer, "weight", masks[name])
    for step in range(2):
        found = masks_of(model)
        assert list(found) == list(masks), step
        assert all(found[name].dtype == torch.bool and torch.equal(found[name], masks[name]) for name in masks)
        if step == 0:
            for layer in layers.values():
                prune.remove(layer, "weight")


def test_masks_of_a_model_without_linear_layers() -> None:
    with pytest.raises(
        ValueError, match=r"model is a ReLU without nn.Linear layers or nn.Conv2d ones, so it carries no masks"
    ):
        masks_of(nn.ReLU())


def test_check_masks_completes_and_converts() -> None:
    model = mlp(1, 3, inputs=2, outputs=2)
    given_mask = np.array([[1, 0], [0, 1], [1, 1]])
    given_mask.flags.writeable = False
    checked = check_masks(model, {"0.weight": given_mask})
    assert torch.equal(checked["0.weight"], torch.from_numpy(given_mask != 0))
    assert checked["2.weight"].all()
    assert all(mask.all() for mask in check_masks(model, None).values())
    assert all(mask.dtype == torch.bool for mask in checked.values())


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({"1.weight": torch.ones(3, 2)}, r"masks names '1.weight', but the model's prunable layers are \['0.weight'"),
        (
            {"0.weight": torch.ones(2, 3)},
            r"masks\['0.weight'\] has shape \(2, 3\), but the layer's weight has \(3, 2\) \(outputs, inputs\)",
        ),
        ({"0.weight": torch.full((3, 2), 0.5)}, r"masks\['0.weight'\] has entries other than 0 and 1"),
        ({"0.weight": torch.full((3, 2), float("nan"))}, r"masks\['0.weight'\] has entries other than 0 and 1"),
    ],
)
def test_impossible_masks(masks: dict[str, torch.Tensor], message: str) -> None:
    model = mlp(1, 3, inputs=2, outputs=2)
    for function in (check_masks, lambda model, masks: forward(model, masks, torch.ones(1, 2))):
        with pytest.raises(ValueError, match=message):
            function(model, masks)


@settings(max_examples=25, deadline=None)
@given(rows=SIZE, width=SIZE, seed=st.integers(0, 99), density=st.floats(0, 1))
def test_forward_is_the_network_with_weights_set_to_zero(rows: int, width: int, seed: int, density: float) -> None:
    model = mlp(2, width, inputs=5, outputs=3, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    layers = prunable_layers(model)
    masks = {name: torch.rand(layer.weight.shape, generator=generator) < density for name, layer in layers.items()}
    images = torch.randn(rows, 5, generator=generator)
    before = weights_of(mlp(2, width, inputs=5, outputs=3, seed=seed))
    a, b, c = (weight * mask for weight, mask in zip(before, masks.values(), strict=True))
    want = torch.relu(torch.relu(images @ a.T) @ b.T) @ c.T
    torch.testing.assert_close(forward(model, masks, images).detach(), want)
    torch.testing.assert_close(forward(model, masks, images.double().numpy()).detach(), want)
    assert torch.equal(forward(model, None, images), model(images))
    assert all(torch.equal(x, y) for x, y in zip(before, weights_of(model), strict=True))


def test_forward_passes_gradients_to_kept_weights_only() -> None:
    model = mlp(1, 4, inputs=3, outputs=2, activation="erf").double()
    masks = {"0.weight": torch.eye(4, 3)}
    forward(model, masks, torch.ones(1, 3)).sum().backward()
    assert torch.equal(model[0].weight.grad != 0, masks["0.weight"].bool())
    assert (model[2].weight.grad != 0).sum() == 6


def test_forward_leaves_a_model_with_buffers_and_biases_in_its_mode() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).eval()
    zero = {name: torch.zeros_like(layer.weight) for name, layer in prunable_layers(model).items()}
    assert torch.equal(forward(model, zero, torch.ones(2, 3)), model[2].bias.expand(2, 2))
    assert not model.training
