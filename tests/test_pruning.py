"""Pruning: every method against a textbook version with .backward() and a full sort, exact counts, models unchanged."""

from __future__ import annotations

import copy
import itertools
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from textbook import equal, keep_highest, synflow, total
from torch import nn

from graphon_lib.networks import Masks, mlp, prunable_layers
from graphon_lib.pruning import METHODS, grasp, prune, random, snip
from graphon_lib.pruning.selection import kept_count, select, thresholds

# The lottery ticket is trained_magnitude many times over, and takes as long.
QUICK = [method for method in METHODS if method != "lottery_ticket"]

SIZES = [(1, 5, 4, 3), (2, 12, 7, 3), (3, 30, 20, 10)]


def batch(rows: int, inputs: int, outputs: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1000 + seed)
    return torch.randn(rows, inputs, generator=generator), torch.arange(rows) % outputs


def pruned(model: nn.Module, method: str, density: float, **settings: object) -> Masks:
    """prune on a fixed batch of eight; that a layer may come out empty is not what most tests are about."""
    layers = [*prunable_layers(model).values()]
    inputs, targets = batch(8, layers[0].in_features, layers[-1].out_features)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* keeps no weight of")
        return prune(model, method, density, **{"inputs": inputs, "targets": targets, **settings})


def largest(scores: torch.Tensor, kept: int, generator: torch.Generator) -> torch.Tensor:
    return select({"weight": scores}, kept, generator)["weight"]


def flat(masks: Masks) -> torch.Tensor:
    return torch.cat([mask.flatten() for mask in masks.values()])


class Nested(nn.Module):
    """Linear layers with biases at two levels, beside everything else that a model may contain."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(6, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(9, 3)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.head(self.body(inputs))


class Repeated(nn.Module):
    """A layer that acts twice, on several rows an image, after a weight that is not a linear layer's."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.places = nn.Parameter(torch.randn(3, 2, generator=generator))
        self.inner, self.head = nn.Linear(2, 2), nn.Linear(2, 3, bias=False)
        for parameter in self.parameters():
            nn.init.normal_(parameter, generator=generator)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        tokens = inputs.view(-1, 3, 2) * self.places
        return self.head(torch.tanh(self.inner(torch.tanh(self.inner(tokens))))).mean(1)


def nested(seed: int = 0) -> Nested:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Nested()
        model.body[2].running_mean.normal_(0.0, 0.1)
        model.body[2].running_var.uniform_(0.5, 2.0)
    return model


# Textbook versions: a copy of the model in double precision, .backward() on its parameters, a full sort.


def textbook_snip(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor, density: float) -> Masks:
    twin = copy.deepcopy(model).double().eval()
    nn.functional.cross_entropy(twin(inputs.double()), targets).backward()
    weights = {name: layer.weight for name, layer in prunable_layers(twin).items()}
    return keep_highest(
        {n: (w.grad * w.detach()).abs() for n, w in weights.items()}, max(1, round(density * total(model)))
    )


def textbook_grasp(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor, density: float) -> Masks:
    twin = copy.deepcopy(model).double().eval()
    weights = {name: layer.weight for name, layer in prunable_layers(twin).items()}
    nn.functional.cross_entropy(twin(inputs.double()) / 200, targets).backward()
    stopped = [w.grad.clone() for w in weights.values()]
    twin.zero_grad()
    loss = nn.functional.cross_entropy(twin(inputs.double()) / 200, targets)
    slopes = torch.autograd.grad(loss, [*weights.values()], create_graph=True)
    sum((g * s).sum() for g, s in zip(stopped, slopes, strict=True)).backward()
    return keep_highest({n: w.grad * w.detach() for n, w in weights.items()}, max(1, round(density * total(model))))


@pytest.mark.parametrize("model", [*(mlp(d, w, inputs=i, outputs=o) for d, w, i, o in SIZES), nested()])
@pytest.mark.parametrize("density", [0.05, 0.37, 0.9])
def test_snip_and_grasp_equal_their_textbook_versions(model: nn.Module, density: float) -> None:
    layers = [*prunable_layers(model).values()]
    inputs, targets = batch(16, layers[0].in_features, layers[-1].out_features)
    for method, textbook in (("snip", textbook_snip), ("grasp", textbook_grasp)):
        got = pruned(model, method, density, inputs=inputs, targets=targets)
        # Dead hidden units tie at exactly zero; the textbook sort then picks in another order, so compare above them.
        want = textbook(model, inputs, targets, density)
        scores = {"snip": snip, "grasp": grasp}[method].scores(model, inputs, targets)
        threshold = min(scores[name][mask].min() for name, mask in want.items() if mask.any())
        assert flat(got).sum() == flat(want).sum()
        for name, score in scores.items():
            assert torch.equal(got[name][score != threshold], want[name][score != threshold])


@pytest.mark.parametrize("model", [*(mlp(d, w, inputs=i, outputs=o) for d, w, i, o in SIZES), nested()])
@pytest.mark.parametrize(("density", "rounds"), [(0.1, 1), (0.1, 7), (0.25, 40), (0.8, 3)])
def test_synflow_equals_its_textbook_version(model: nn.Module, density: float, rounds: int) -> None:
    first = next(iter(prunable_layers(model).values()))
    assert equal(
        pruned(model, "synflow", density, rounds=rounds),
        synflow(model, density, rounds, torch.ones(1, first.in_features)),
    )


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_synflow_goes_on_when_no_path_is_left(activation: str) -> None:
    model = mlp(3, 2, inputs=2, outputs=2, activation=activation)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* keeps no weight of")
        for rounds in (2, 3, 10, 40):
            assert flat(prune(model, "synflow", 1 / 16, rounds=rounds)).sum() == 1


def test_weights_that_carry_the_same_flow_are_tied() -> None:
    # One neuron a layer: flow is conserved, so all weights score the same up to rounding, whatever their sizes.
    chosen = {
        int(flat(pruned(mlp(4, 1, inputs=1, outputs=1, seed=model), "synflow", 0.2, rounds=1, seed=seed)).nonzero())
        for model in range(2)
        for seed in range(40)
    }
    assert chosen == set(range(5))


def test_synflow_makes_100_rounds_unless_told() -> None:
    model = mlp(2, 20, inputs=10)
    assert equal(prune(model, "synflow", 0.05), prune(model, "synflow", 0.05, rounds=100))
    assert not equal(prune(model, "synflow", 0.05), pruned(model, "synflow", 0.05, rounds=1))


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_grasp_scores_are_the_explicit_hessian_times_the_gradient(activation: str) -> None:
    model = mlp(1, 4, inputs=3, outputs=2, activation=activation).double()
    inputs, targets = batch(6, 3, 2)
    inputs = inputs.double()
    weights = torch.cat([layer.weight.detach().flatten() for layer in prunable_layers(model).values()])
    act = torch.relu if activation == "relu" else torch.erf

    def loss(row: torch.Tensor) -> torch.Tensor:
        logits = act(inputs @ row[:12].view(4, 3).T) @ row[12:].view(2, 4).T / 200
        return -torch.log_softmax(logits, 1)[torch.arange(6), targets].mean()

    hessian = torch.autograd.functional.hessian(loss, weights)
    gradient = torch.autograd.functional.jacobian(loss, weights)
    scores = torch.cat([score.flatten() for score in grasp.scores(model, inputs, targets).values()])
    torch.testing.assert_close(scores, (hessian @ gradient) * weights, rtol=1e-10, atol=0)


def test_snip_scores_are_first_order_changes_of_the_loss() -> None:
    model = mlp(1, 5, inputs=4, outputs=3, activation="erf").double()
    inputs, targets = batch(6, 4, 3)
    scores = snip.scores(model, inputs, targets)
    step = 1e-6
    for name, layer in prunable_layers(model).items():
        for i, j in np.ndindex(*layer.weight.shape):
            losses = []
            for sign in (1, -1):
                twin = copy.deepcopy(model)
                with torch.no_grad():
                    prunable_layers(twin)[name].weight[i, j] *= 1 + sign * step
                losses.append(nn.functional.cross_entropy(twin(inputs.double()), targets).item())
            assert scores[name][i, j].item() == pytest.approx(abs(losses[0] - losses[1]) / (2 * step), abs=1e-8)


def test_magnitude_keeps_the_largest_weights() -> None:
    model = mlp(2, 12, inputs=7)
    weights = {name: layer.weight.detach() for name, layer in prunable_layers(model).items()}
    assert equal(
        pruned(model, "magnitude", 0.3),
        keep_highest({n: w.abs() for n, w in weights.items()}, round(0.3 * total(model))),
    )


def test_random_scores_are_gaussian_and_masks_independent_of_weights_of_the_same_seed() -> None:
    model = mlp(2, 300, inputs=200, seed=7)
    noise = random.scores(model, torch.Generator().manual_seed(7))
    every = torch.cat([score.flatten() for score in noise.values()])
    assert every.mean().abs() < 4 / len(every) ** 0.5
    assert (every.std() - 1).abs() < 4 / (2 * len(every)) ** 0.5
    kept = flat(prune(model, "random", 0.5, seed=7)).double() - 0.5
    weights = torch.cat([layer.weight.detach().flatten() for layer in prunable_layers(model).values()]).double()
    half = len(weights) // 2
    # Were the streams one, weight i (or 2i, as a double takes two words) would decide about mask i.
    for a, b in ((kept, weights), (kept[:half], weights[: 2 * half : 2]), (kept[:half], weights[1 : 2 * half : 2])):
        assert torch.corrcoef(torch.stack([a, b]))[0, 1].abs() < 4 / len(a) ** 0.5


@settings(max_examples=25, deadline=None)
@given(density=st.floats(1e-6, 1.0), seed=st.integers(0, 50), method=st.sampled_from(QUICK))
def test_kept_count_is_exact(density: float, seed: int, method: str) -> None:
    constant = mlp(2, 8, inputs=5, outputs=4)
    for layer in prunable_layers(constant).values():
        nn.init.constant_(layer.weight, 0.1)
    zero = copy.deepcopy(constant)
    for layer in prunable_layers(zero).values():
        nn.init.zeros_(layer.weight)
    for model in (constant, zero, mlp(2, 8, inputs=5, outputs=4, seed=seed), nested(seed)):
        masks = pruned(model, method, density, seed=seed, rounds=5)
        kept = flat(masks)
        assert kept.sum() == max(1, round(density * len(kept)))
        for name, layer in prunable_layers(model).items():
            assert masks[name].dtype == torch.bool
            assert masks[name].shape == layer.weight.shape


@pytest.mark.parametrize("method", METHODS)
def test_density_one_keeps_all(method: str) -> None:
    assert flat(pruned(mlp(1, 6, inputs=4), method, 1)).all()


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.integers(-3, 3), min_size=1, max_size=40), share=st.floats(0, 1), seed=st.integers(0, 9))
def test_largest_keeps_all_above_the_threshold_and_some_at_it(values: list[int], share: float, seed: int) -> None:
    scores = torch.tensor(values, dtype=torch.float64)
    kept = kept_count(share, len(values))
    chosen = largest(scores, kept, torch.Generator().manual_seed(seed))
    threshold = sorted(values, reverse=True)[kept - 1]
    assert chosen.sum() == kept
    assert chosen[scores > threshold].all()
    assert not chosen[scores < threshold].any()


def test_ties_are_broken_without_regard_to_order() -> None:
    scores = torch.ones(10, dtype=torch.float64)
    counts = sum(largest(scores, 3, torch.Generator().manual_seed(seed)).double() for seed in range(2000))
    # Each place is kept in 3 of 10 draws: binomial, standard deviation 20.5.
    assert ((counts - 600).abs() < 4.5 * 20.5).all()


def test_rounding_does_not_break_a_tie() -> None:
    scores = torch.full((1000,), 0.1, dtype=torch.float64)
    noisy = scores * (1 + 4e-16 * torch.rand(1000, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    assert not torch.equal(noisy, scores)
    draws = [largest(s, 400, torch.Generator().manual_seed(3)) for s in (scores, noisy)]
    assert torch.equal(*draws)


@pytest.mark.parametrize("density", [0.5, 0.7])
def test_a_layer_may_act_twice_and_on_several_rows_an_image(density: float) -> None:
    model, (inputs, targets) = Repeated(), batch(8, 6, 3)
    given = {"inputs": inputs, "targets": targets, "rounds": 5}
    assert equal(prune(model, "snip", density, **given), textbook_snip(model, inputs, targets, density))
    assert equal(prune(model, "grasp", density, **given), textbook_grasp(model, inputs, targets, density))
    assert equal(prune(model, "synflow", density, **given), synflow(model, density, 5, torch.ones(1, 6)))


@settings(max_examples=100, deadline=None)
@given(
    pieces=st.lists(
        st.lists(st.floats(-1e300, 1e300) | st.sampled_from([0.0, -0.0, 5e-324, 1.0]), min_size=1), min_size=1
    ),
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=4),
)
def test_thresholds_are_those_of_a_full_sort(pieces: list[list[float]], shares: list[float]) -> None:
    ordered = np.sort(np.concatenate(pieces))
    kept = [max(1, round(share * len(ordered))) for share in shares]
    expected = [ordered[len(ordered) - number] for number in kept]
    assert thresholds([np.array(piece) for piece in pieces], kept) == expected


@pytest.mark.parametrize("method", QUICK)
def test_several_densities_are_as_many_calls(method: str) -> None:
    model = nested()
    together = pruned(model, method, [0.5, 0.2, 0.37], rounds=5)
    assert len(together) == 3
    for density, masks in zip([0.5, 0.2, 0.37], together, strict=True):
        assert equal(masks, pruned(model, method, density, rounds=5))


@pytest.mark.parametrize(("method", "module"), [("snip", snip), ("grasp", grasp), ("random", random)])
def test_several_densities_take_one_scoring(method: str, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    scorings, scores = [], module.scores
    monkeypatch.setattr(module, "scores", lambda *given: scorings.append(1) or scores(*given))
    pruned(nested(), method, [0.5, 0.2, 0.37])
    assert len(scorings) == 1


def test_select_ranks_all_layers_together() -> None:
    scores = {"a": torch.tensor([[1.0, 5.0]]), "b": torch.tensor([[4.0], [0.0]])}
    masks = select(scores, 2, torch.Generator())
    assert equal(masks, {"a": torch.tensor([[False, True]]), "b": torch.tensor([[True], [False]])})


def test_synflow_fills_up_with_weights_that_were_never_removed() -> None:
    # Layer 1 is zero, so all scores are: the choice is by lot, round after round, among those that are left.
    model = mlp(1, 10, inputs=10, outputs=10)
    nn.init.zeros_(model[0].weight)
    kept = [flat(pruned(model, "synflow", d, rounds=r, seed=4)) for d, r in ((0.5**0.25, 1), (0.5**0.5, 2), (0.5, 4))]
    assert [int(k.sum()) for k in kept] == [round(200 * 0.5**p) for p in (0.25, 0.5, 1)]
    for before, after in itertools.pairwise(kept):
        assert not (after & ~before).any()


def state_of(model: nn.Module) -> list[object]:
    tensors = [*model.parameters(), *model.buffers()]
    return [
        [t.detach().clone() for t in tensors],
        [t.data_ptr() for t in tensors],
        [t.requires_grad for t in tensors],
        [None if t.grad is None else t.grad.clone() for t in tensors],
        [m.training for m in model.modules()],
    ]


def same_state(first: list[object], second: list[object]) -> bool:
    return repr(first[1:3] + first[4:]) == repr(second[1:3] + second[4:]) and all(
        (a is None) == (b is None) and (a is None or torch.equal(a, b))
        for i in (0, 3)
        for a, b in zip(first[i], second[i], strict=True)
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_model_and_all_global_state_stay_as_they_were(method: str) -> None:
    model = nested()
    model.train()
    model.body[4].eval()
    model.head.weight.requires_grad_(False)
    model.body[1].weight.grad = torch.ones_like(model.body[1].weight)
    before, generator, threads = state_of(model), torch.get_rng_state(), torch.get_num_threads()
    with torch.no_grad():
        inside = pruned(model, method, 0.3)
        assert not torch.is_grad_enabled()
    assert equal(inside, pruned(model, method, 0.3))
    with pytest.raises(ValueError, match="inputs"):
        prune(model, "snip", 0.3, inputs=torch.ones(2, 4), targets=[0, 1])
    assert same_state(before, state_of(model))
    assert torch.equal(generator, torch.get_rng_state())
    assert threads == torch.get_num_threads()
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize("method", QUICK)
def test_seeds(method: str) -> None:
    model = mlp(2, 30, inputs=20)
    assert equal(pruned(model, method, 0.2, seed=5), pruned(model, method, 0.2, seed=np.int64(5)))
    # With constant weights the scores of SNIP and GraSP in the last layer differ by class only: 30 are tied each time,
    # and 45 are kept.
    for layer in prunable_layers(model).values():
        nn.init.constant_(layer.weight, 0.1)
    assert equal(pruned(model, method, 0.025, seed=5), pruned(model, method, 0.025, seed=5))
    assert not equal(pruned(model, method, 0.025, seed=5), pruned(model, method, 0.025, seed=6))


def test_seeds_change_a_method_without_ties_only_if_it_is_random() -> None:
    model = mlp(2, 30, inputs=20, activation="erf")
    for method in ("random", "magnitude", "snip", "grasp", "phew", "random_uniform", "random_erk"):
        same = equal(pruned(model, method, 0.2, seed=5), pruned(model, method, 0.2, seed=6))
        assert same == (method in ("magnitude", "snip", "grasp"))


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    threads = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(threads)


@pytest.mark.parametrize("method", QUICK)
@pytest.mark.parametrize("constant", [False, True])
def test_threads_do_not_matter(method: str, constant: bool, set_threads: Callable[[int], None]) -> None:
    model = mlp(2, 150, inputs=200)
    if constant:
        for layer in prunable_layers(model).values():
            nn.init.constant_(layer.weight, 0.1)
    inputs, targets = batch(60, 200, 10)
    masks = []
    for threads in (1, 2):
        set_threads(threads)
        masks.append(pruned(model, method, 0.005 if constant else 0.1, inputs=inputs, targets=targets, rounds=10))
    assert equal(*masks)


@pytest.mark.parametrize("method", QUICK)
def test_precision_and_layout_of_the_weights_do_not_matter(method: str) -> None:
    model = mlp(2, 12, inputs=8, outputs=5)
    want = pruned(model, method, 0.3)
    strided = copy.deepcopy(model)
    for layer in prunable_layers(strided).values():
        layer.weight = nn.Parameter(layer.weight.detach().T.contiguous().T)
        assert not layer.weight.is_contiguous()
    assert equal(want, pruned(strided, method, 0.3))
    assert equal(want, pruned(copy.deepcopy(model).double(), method, 0.3))


@pytest.mark.parametrize("method", QUICK)
def test_arrays_serve_as_well_as_tensors(method: str) -> None:
    model = mlp(1, 9, inputs=6, outputs=3)
    inputs, targets = batch(8, 6, 3)
    want = pruned(model, method, 0.3, inputs=inputs, targets=targets)
    images, labels = inputs.numpy().astype(np.float64)[::-1].copy()[::-1], targets.numpy().astype(np.uint8)
    images.flags.writeable = labels.flags.writeable = False
    assert equal(want, pruned(model, method, 0.3, inputs=images, targets=labels))
    assert equal(want, pruned(model, method, 0.3, inputs=inputs.T.contiguous().T, targets=targets.tolist()))


# Training takes rows of numbers, not images.
@pytest.mark.parametrize(
    "method", [method for method in METHODS if method not in ("trained_magnitude", "lottery_ticket")]
)
def test_one_linear_layer_and_images_that_are_flattened_inside(method: str) -> None:
    assert flat(pruned(nn.Linear(6, 3), method, 0.5)).sum() == 9
    inputs, targets = batch(8, 6, 3)
    model = nested()
    as_images = pruned(model, method, 0.3, inputs=inputs.view(8, 2, 3), targets=targets)
    assert equal(as_images, pruned(model, method, 0.3, inputs=inputs, targets=targets))
    assert list(as_images) == ["body.1.weight", "head.weight"]


@pytest.mark.parametrize("method", ["snip", "grasp", "synflow"])
def test_a_layer_that_the_forward_pass_skips_has_no_score(method: str) -> None:
    model = nested()
    model.unused = nn.Linear(4, 3)
    inputs, targets = batch(8, 6, 3)
    with pytest.warns(UserWarning, match="keeps no weight of 'unused.weight'"):
        masks = prune(model, method, 0.1, inputs=inputs, targets=targets)
    assert flat(masks).sum() == round(0.1 * 93)


def test_a_layer_without_weights_is_warned_of() -> None:
    model = mlp(1, 6, inputs=4)
    with torch.no_grad():
        model[0].weight *= 1e-3
    with pytest.warns(
        UserWarning,
        match=r"magnitude at density 0.1 keeps no weight of '0.weight': .* output is constant; raise density",
    ) as caught:
        prune(model, "magnitude", 0.1)
    assert caught[0].filename == __file__


MODEL = mlp(1, 6, inputs=4, outputs=3)
GOOD = {"method": "snip", "density": 0.5, "inputs": torch.ones(2, 4), "targets": [0, 1]}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"method": "Snip"}, ValueError, r"method is 'Snip', but must be one of \['random', 'magnitude', 'snip'"),
        ({"density": 0}, ValueError, r"density is 0, but must be in \(0, 1\]; it is the kept share"),
        ({"density": 1.01}, ValueError, r"density is 1.01, but"),
        ({"density": float("nan")}, ValueError, r"density is nan, but"),
        ({"density": "0.5"}, TypeError, r"density is '0.5', but must be a number in \(0, 1\]; pass a float"),
        ({"seed": -1}, ValueError, "seed is -1, but must be a whole number of at least 0"),
        ({"seed": 1.5}, TypeError, "seed is 1.5, but must be a whole number of at least 0; pass an int"),
        ({"rounds": 0}, ValueError, "rounds is 0, but must be a whole number of at least 1"),
        ({"rounds": 2.0}, TypeError, "rounds is 2.0, but must be a whole number of at least 1; pass an int"),
        ({"rounds": True}, TypeError, "rounds is True, but"),
        ({"inputs": None}, ValueError, r"inputs is None, but snip looks at data; pass inputs=\(N, d\)"),
        ({"targets": None}, ValueError, "targets is None, but snip looks at data"),
        ({"method": "grasp", "inputs": None}, ValueError, "inputs is None, but grasp looks at data"),
        ({"inputs": torch.ones(4)}, ValueError, r"inputs has shape \(4,\), but must be \(N, d\) with N >= 1"),
        ({"inputs": torch.ones(0, 4)}, ValueError, r"inputs has shape \(0, 4\), but must be"),
        ({"inputs": [[1, 2, 3, float("inf")]]}, ValueError, "inputs has entries that are NaN or infinite"),
        (
            {"inputs": torch.ones(2, 5)},
            ValueError,
            r"inputs of shape \(2, 5\) do not pass through the model \(the layer '0.weight' takes 4 numbers, but gets",
        ),
        ({"method": "synflow", "inputs": torch.ones(2, 5)}, ValueError, r"inputs of shape \(1, 5\) do not pass"),
        ({"targets": [0.0, 1.0]}, TypeError, "targets has dtype torch.float64, but must hold class labels; pass whole"),
        ({"targets": [True, False]}, TypeError, "targets has dtype torch.bool, but"),
        ({"targets": [0, 1, 2]}, ValueError, r"targets has shape \(3,\), but must be \(2,\): one label a row"),
        ({"targets": [[0], [1]]}, ValueError, r"targets has shape \(2, 1\), but must be \(2,\)"),
        (
            {"targets": [0, 3]},
            ValueError,
            "targets has labels from 0 to 3, but the model has 3 outputs; .* from 0 to 2",
        ),
        ({"targets": [-1, 0]}, ValueError, "targets has the entry -1, but classes are counted from 0; shift them"),
        (
            {"inputs": np.full((2, 4), 1e308)},
            ValueError,
            "snip scores of '0.weight' are not all finite, .*; scale down",
        ),
        ({"inputs": np.full((2, 4), 1e308), "method": "grasp"}, ValueError, "grasp scores of '0.weight' are not all"),
        (
            {"model": nn.Sequential(nn.Linear(4, 3), nn.Flatten(0))},
            ValueError,
            r"model turns inputs of shape \(2, 4\) into outputs of shape \(6,\), but cross-entropy needs one row",
        ),
        ({"model": nn.ReLU()}, ValueError, "without nn.Linear layers"),
    ],
)
def test_bad_arguments(change: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        prune(**{"model": MODEL, **GOOD, **change})


def test_a_flow_that_overflows_is_an_error_where_layers_cannot_be_rescaled() -> None:
    model = mlp(12, 3, inputs=3, activation="gelu")
    for layer in prunable_layers(model).values():
        nn.init.constant_(layer.weight, 1e30)
    with pytest.raises(ValueError, match=r"synflow scores of '0.weight' are not all finite, even in double precision"):
        prune(model, "synflow", 0.5)


def test_non_finite_weights_are_an_error() -> None:
    model = mlp(1, 3, inputs=3)
    nn.init.constant_(model[2].weight, float("nan"))
    with pytest.raises(ValueError, match=r"weights of '2.weight' are not all finite"):
        prune(model, "random", 0.5)


@pytest.mark.parametrize("method", ["random", "magnitude", "synflow"])
def test_what_a_method_does_not_need_it_does_not_look_at(method: str) -> None:
    ignored = {"targets": "nonsense"} if method == "synflow" else {"inputs": "nonsense", "targets": "nonsense"}
    model = mlp(1, 6, inputs=4)
    assert equal(prune(model, method, 0.5, **ignored), prune(model, method, 0.5))
