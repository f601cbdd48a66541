"""The metrics of a kernel, with intervals over the choice of images."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from graphon_lib.diagnosis.number import Number
from graphon_lib.intervals import CONFIDENCE
from graphon_lib.spectra import alignment, spectrum

Array = NDArray[np.float64]

METRICS = {
    "scale": "scale / dense limit",
    "decay": "decay exponent",
    "effective_rank": "effective rank",
    "gap": "gap",
    "concentration": "energy in top 5",
    "alignment": "alignment with targets",
}

HALVES = 40
# Of fewer images, halves say little.
LEAST_IMAGES = 20
TOP = 5

_WHY = {
    "decay": "only one eigenvalue is numerically positive",
    "gap": "only one eigenvalue is numerically positive",
}


def kernel_numbers(kernel: Array, dense: Array | None, labels: Array | None, *, seed: int) -> dict[str, Number]:
    """Each of ``METRICS``, with a 95 % interval over images by the delete-half jackknife (Shao and Tu 1995, chapter 2).

    The metrics are computed again on random halves of the images. Drawn without replacement, a half's deviation from
    the mean of halves varies as the metric itself does over samples of all its images.

    Parameters
    ----------
    kernel : (N, N) array, N at least 2
    dense : (N,) array or None
        The diagonal of the dense network's Graphon NTK on the same images; None: the scale is not known.
    labels : (N,) array of whole numbers or None
    seed : int
        Of the halves.
    """
    if not np.any(kernel):
        return dict.fromkeys(METRICS, Number.unknown("the kernel is zero: no kept weight moves an output"))
    everything = np.arange(len(kernel))
    found = _metrics(kernel, dense, labels, everything)
    generator = np.random.default_rng(seed)
    halves: list[dict[str, float]] = []
    if len(kernel) >= LEAST_IMAGES:
        chosen = [np.sort(generator.permutation(len(kernel))[: len(kernel) // 2]) for _ in range(HALVES)]
        halves = [_metrics(kernel, dense, labels, half) for half in chosen]
    return {metric: _number(metric, value, halves, labels) for metric, value in found.items()}


def _number(metric: str, value: float, halves: list[dict[str, float]], labels: Array | None) -> Number:
    if not math.isfinite(value):
        if metric == "scale":
            return Number.unknown("the dense network of these layers has no known kernel to compare with")
        if metric == "alignment" and labels is None:
            return Number.unknown("no targets were given")
        return Number.unknown(_WHY.get(metric, "the targets are of one class, or the kernel is constant"))
    logarithmic = metric in ("scale", "gap")
    with np.errstate(divide="ignore"):
        spread = np.array([half[metric] for half in halves])
        spread = np.log(spread) if logarithmic else spread
    spread = spread[np.isfinite(spread)]
    if len(spread) < HALVES // 2:
        return Number(value, note=f"no interval: fewer than {LEAST_IMAGES} images, or too few halves have this number")
    reach = float(stats.norm.ppf((1 + CONFIDENCE) / 2) * spread.std(ddof=1))
    low, high = (value * math.exp(-reach), value * math.exp(reach)) if logarithmic else (value - reach, value + reach)
    return Number(value, low, high, "95 % over the choice of images")


def _metrics(kernel: Array, dense: Array | None, labels: Array | None, rows: NDArray[np.int64]) -> dict[str, float]:
    part = kernel[np.ix_(rows, rows)]
    found = dict.fromkeys(METRICS, math.nan)
    if dense is not None:
        found["scale"] = float(np.diag(part).mean() / dense[rows].mean())
    if not np.any(part):
        return found
    of = spectrum(part, top=min(TOP, len(rows)))
    found |= {
        "decay": of.decay,
        "effective_rank": of.effective_rank,
        "gap": of.gap,
        "concentration": of.concentration,
    }
    if labels is not None and len(np.unique(labels[rows])) > 1:
        # So few paths may be left that all images look alike to the outputs.
        flat = np.linalg.norm(part - part.mean()) <= 1e-9 * np.linalg.norm(part)
        found["alignment"] = math.nan if flat else alignment(part, labels[rows])
    return found
