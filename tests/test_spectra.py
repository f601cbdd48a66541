"""Spectra against closed forms, alignment against its definition, predicted loss against gradient descent."""

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

from graphon_lib.spectra import alignment, predicted_loss, spectrum

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(2, 12)


def wishart(size, seed, rank=None):
    factor = np.random.default_rng(seed).standard_normal((size, rank or 2 * size))
    return factor @ factor.T


def metrics(found):
    return np.array([found.decay, found.effective_rank, found.gap, found.concentration])


@settings(max_examples=50, deadline=None)
@given(size=st.integers(3, 40), alpha=st.floats(0.1, 4), scale=st.floats(1e-6, 1e6), seed=seeds)
def test_a_power_law_gives_its_exponent_and_sums(size, alpha, scale, seed):
    values = scale * np.arange(1, size + 1.0) ** -alpha
    rotation = ortho_group.rvs(size, random_state=seed)
    found = spectrum((rotation * values) @ rotation.T, top=2)
    np.testing.assert_allclose(found.eigenvalues, values, rtol=1e-9)
    assert found.decay == pytest.approx(alpha, rel=1e-8)
    assert found.effective_rank == pytest.approx(sum(k**-alpha for k in range(1, size + 1)))
    assert found.gap == pytest.approx(2**alpha)
    assert found.concentration == pytest.approx((1 + 2**-alpha) * scale / values.sum())
    assert found.top == 2


@settings(max_examples=50, deadline=None)
@given(size=st.integers(3, 12), scale=st.floats(1e-6, 1e6), seed=seeds)
def test_metrics_ignore_scale_rotation_and_order(size, scale, seed):
    kernel = wishart(size, seed)
    reference = metrics(spectrum(kernel, top=2))
    rotation = ortho_group.rvs(size, random_state=seed)
    order = np.random.default_rng(seed).permutation(size)
    np.testing.assert_allclose(metrics(spectrum(scale * kernel, top=2)), reference, rtol=1e-7)
    np.testing.assert_allclose(metrics(spectrum(rotation @ kernel @ rotation.T, top=2)), reference, rtol=1e-7)
    np.testing.assert_allclose(metrics(spectrum(kernel[np.ix_(order, order)], top=2)), reference, rtol=1e-7)


@settings(max_examples=50, deadline=None)
@given(size=sizes, seed=seeds, rank=st.integers(1, 12), data=st.data())
def test_metrics_stay_in_their_ranges(size, seed, rank, data):
    top = data.draw(st.integers(1, size))
    found = spectrum(wishart(size, seed, rank), top=top)
    assert (np.diff(found.eigenvalues) <= 0).all()
    assert (found.eigenvalues >= 0).all()
    assert found.eigenvalues.dtype == np.float64
    assert 1 <= found.effective_rank <= size + 1e-9
    assert found.gap >= 1
    assert top / size - 1e-9 <= found.concentration <= 1 + 1e-12
    assert found.decay >= 0


@settings(deadline=None)
@given(size=sizes)
def test_the_identity_has_no_structure(size):
    found = spectrum(np.eye(size), top=1)
    np.testing.assert_allclose(metrics(found), [0, size, 1, 1 / size], atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(size=sizes, seed=seeds, single=st.booleans())
def test_a_rank_one_kernel_is_all_top(size, seed, single):
    vector = np.random.default_rng(seed).standard_normal(size).astype(np.float32 if single else np.float64)
    found = spectrum(np.outer(vector, vector), top=1)
    assert found.decay == math.inf
    assert found.gap == math.inf
    np.testing.assert_allclose([found.effective_rank, found.concentration], 1, rtol=1e-5)


def test_decay_leaves_out_what_is_zero_up_to_rounding():
    values = np.array([1.0, 0.5, 0.25, 0.0, 0.0])
    rotation = ortho_group.rvs(5, random_state=0)
    expected = -np.polyfit(np.log([1, 2, 3]), np.log(values[:3]), 1)[0]
    assert spectrum((rotation * values) @ rotation.T, top=1).decay == pytest.approx(expected)


def test_single_precision_and_tensors_give_the_same():
    kernel = wishart(20, 0)
    reference = metrics(spectrum(kernel))
    assert np.array_equal(metrics(spectrum(torch.from_numpy(kernel))), reference)
    np.testing.assert_allclose(metrics(spectrum(torch.from_numpy(kernel).float())), reference, rtol=1e-3)
    # Sums in another order break the symmetry of a single-precision kernel in its last digits.
    noise = np.random.default_rng(1).standard_normal(kernel.shape) * 1e-6 * kernel.max()
    np.testing.assert_allclose(metrics(spectrum((kernel + noise).astype(np.float32))), reference, rtol=1e-3)


def test_the_kernel_is_left_as_it_was():
    kernel = wishart(6, 0)
    copy = kernel.copy()
    spectrum(kernel)
    alignment(kernel, np.arange(6))
    predicted_loss(kernel, np.ones(6), steps=2, learning_rate=1e-3)
    assert np.array_equal(kernel, copy)


BAD_KERNELS = [
    (np.zeros((3, 2)), ValueError, r"kernel has shape \(3, 2\), but must be \(N, N\) with N at least 2"),
    (np.ones((1, 1)), ValueError, r"kernel has shape \(1, 1\), but must be \(N, N\) with N at least 2"),
    (np.ones(4), ValueError, r"kernel has shape \(4,\), but must be \(N, N\)"),
    (np.full((2, 2), np.nan), ValueError, "kernel contains NaN or infinity; drop or repair"),
    (
        np.array([[2.0, 1.0], [1.1, 2.0]]),
        ValueError,
        "kernel is not symmetric: .* up to 0.1 where the largest entry is 2",
    ),
    (np.array([[2.0, 1.0], [1.0 + 1e-6, 2.0]]), ValueError, "kernel is not symmetric"),
    (np.eye(3, dtype=np.int64), TypeError, "kernel has dtype int64, but must be float32 or float64; convert it"),
    (torch.eye(3, dtype=torch.bfloat16), TypeError, "kernel has dtype torch.bfloat16, but must be float32 or float64"),
    ([[1, 0], [0, 1]], TypeError, "kernel has dtype int64"),
]
BAD_SPECTRA = [
    (np.zeros((3, 3)), ValueError, "kernel is zero, so it has no spectrum"),
    (
        np.diag([1.0, -0.1, 1.0]),
        ValueError,
        "kernel has the eigenvalue -0.1 where the largest in size is 1, but kernels",
    ),
    (-np.eye(3), ValueError, "kernel has the eigenvalue -1 where the largest in size is 1"),
]


@pytest.mark.parametrize(("kernel", "error", "message"), BAD_KERNELS + BAD_SPECTRA)
def test_impossible_kernels(kernel, error, message):
    with pytest.raises(error, match=message):
        spectrum(kernel, top=1)
    with pytest.raises(error, match=message):
        predicted_loss(kernel, np.ones(len(kernel)), steps=1, learning_rate=0.1)


@pytest.mark.parametrize(("kernel", "error", "message"), BAD_KERNELS)
def test_impossible_kernels_to_align(kernel, error, message):
    with pytest.raises(error, match=message):
        alignment(kernel, np.arange(len(kernel)))


@pytest.mark.parametrize("top", [0, 5, -1, 2.0, True])
def test_impossible_top(top):
    with pytest.raises(ValueError, match=re.escape(f"top is {top!r}, but must be a whole number from 1 to 4")):
        spectrum(np.eye(4), top=top)


@settings(max_examples=50, deadline=None)
@given(size=st.integers(3, 12), scale=st.floats(1e-4, 1e4), shift=st.floats(0, 10), seed=seeds)
def test_alignment_is_the_cosine_of_its_definition(size, scale, shift, seed):
    kernel = wishart(size, seed)
    labels = np.arange(size) % 3
    found = alignment(kernel, labels)
    centring = np.eye(size) - 1 / size
    one_hot = np.eye(3)[labels]
    K, T = centring @ kernel @ centring, centring @ one_hot @ one_hot.T @ centring
    assert found == pytest.approx(np.trace(K @ T) / math.sqrt(np.trace(K @ K) * np.trace(T @ T)))
    assert 0 <= found <= 1
    assert alignment(scale * kernel + shift, labels) == pytest.approx(found, rel=1e-6)
    assert alignment(-kernel, labels) == pytest.approx(-found)
    order = np.random.default_rng(seed).permutation(size)
    assert alignment(torch.from_numpy(kernel[np.ix_(order, order)]), torch.from_numpy(labels[order])) == pytest.approx(
        found
    )
    # Names of classes mean nothing.
    assert alignment(kernel, 7 - 2 * labels) == pytest.approx(found)


def test_alignment_is_one_for_the_labels_own_kernel():
    labels = np.array([0, 0, 1, 2, 2, 2])
    own = (labels[:, None] == labels).astype(np.float64)
    assert alignment(own, labels) == pytest.approx(1)
    assert alignment(-own, labels) == pytest.approx(-1)


@pytest.mark.parametrize(
    ("kernel", "labels", "error", "message"),
    [
        (np.eye(3), [0, 1], ValueError, r"labels has shape \(2,\), but must be \(3,\)"),
        (np.eye(3), [0.0, 1.0, 2.0], TypeError, "labels has dtype float64, but classes are whole numbers"),
        (np.eye(3), [4, 4, 4], ValueError, "labels has the single class 4, but alignment compares classes"),
        (np.full((3, 3), 0.3), [0, 1, 2], ValueError, "kernel is constant, so that nothing of it is left to align"),
        (np.zeros((3, 3)), [0, 1, 2], ValueError, "kernel is constant"),
    ],
)
def test_impossible_alignments(kernel, labels, error, message):
    with pytest.raises(error, match=message):
        alignment(kernel, labels)


@settings(max_examples=50, deadline=None)
@given(
    size=sizes,
    features=st.integers(1, 8),
    outputs=st.one_of(st.none(), st.integers(1, 4)),
    steps=st.integers(0, 30),
    share=st.floats(0.01, 1),
    seed=seeds,
)
def test_predicted_loss_is_gradient_descent_of_a_linear_model(size, features, outputs, steps, share, seed):
    generator = np.random.default_rng(seed)
    X = generator.standard_normal((size, features))
    y = generator.standard_normal(size if outputs is None else (size, outputs))
    w = generator.standard_normal(features if outputs is None else (features, outputs))
    rate = share * 2 * size / np.linalg.norm(X, 2) ** 2
    curve = predicted_loss(X @ X.T, X @ w - y, steps=steps, learning_rate=rate * (1 - 1e-9))
    descent = []
    for _ in range(steps + 1):
        descent.append(((X @ w - y) ** 2).sum() / (2 * size))
        w = w - rate * X.T @ (X @ w - y) / size
    assert curve.shape == (steps + 1,)
    np.testing.assert_allclose(curve, descent, rtol=1e-6, atol=1e-12)
    assert (np.diff(curve) <= 1e-12 * curve[0]).all()


def test_predicted_loss_is_autograd_descent_too():
    """The step of torch.optim.SGD on the loss as one would write it fixes the convention of eta and N."""
    generator = torch.Generator().manual_seed(0)
    X, y = torch.randn(9, 4, generator=generator).double(), torch.randn(9, 2, generator=generator).double()
    W = torch.zeros(4, 2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([W], lr=0.3)
    descent = []
    for _ in range(20):
        loss = 0.5 * ((X @ W - y) ** 2).sum(dim=1).mean()
        descent.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    np.testing.assert_allclose(predicted_loss(X @ X.T, -y, steps=19, learning_rate=0.3), descent, rtol=1e-12)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"residual": np.ones(3)}, r"residual has shape \(3,\), but must be \(4,\) or \(4, outputs\)"),
        ({"residual": np.ones((4, 1, 1))}, r"residual has shape \(4, 1, 1\)"),
        ({"residual": np.full(4, np.inf)}, "residual contains NaN or infinity"),
        ({"steps": -1}, "steps is -1, but must be a whole number from 0 to 10000000"),
        ({"steps": True}, "steps is True, but must be a whole number"),
        ({"learning_rate": 0.0}, r"learning_rate is 0.0, but must be positive and at most 2N / lambda_1 = 8, beyond"),
        ({"learning_rate": 8.1}, r"learning_rate is 8.1, but must be positive"),
        ({"learning_rate": math.nan}, r"learning_rate is nan, but must be positive"),
    ],
)
def test_impossible_predictions(changed, message):
    arguments = {"residual": np.ones(4), "steps": 3, "learning_rate": 0.1} | changed
    with pytest.raises(ValueError, match=message):
        predicted_loss(np.eye(4), **arguments)
