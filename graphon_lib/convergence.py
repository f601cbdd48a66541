"""Do the masks of wider and wider networks converge? Distances between their sorted histograms."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist

Array = NDArray[np.float64]


def distances_to_widest(masks: pd.DataFrame) -> pd.DataFrame:
    """Euclidean distance of every mask's histogram to the mean histogram of the widest networks (claim C1).

    Histograms are divided by their mean first: a global threshold moves a hidden mask's density with the width, because
    the input layer's share of all weights falls, and that drift is not structure. The reference of a network of the
    largest width leaves that network out, so that its distance is a real one and not zero by construction.

    Parameters
    ----------
    masks : DataFrame
        From :func:`graphon_lib.sweeps.mask_sweep`, one layer, at least two trials.

    Returns
    -------
    DataFrame
        One row a mask: ``method``, ``density``, ``width``, ``trial``, ``distance`` (relative L2), and ``null``: the
        same for Erdős-Rényi masks of equal size and density, whose only structure is what sorting makes of noise.

    Raises
    ------
    ValueError
        If there are fewer than two trials, or several layers.
    """
    _check(masks)
    widest = masks["width"].max()
    rows = []
    for (method, density), group in masks.groupby(["method", "density"], sort=False):
        references = group[group["width"] == widest]
        for row in group.to_dict("records"):
            others = references if row["width"] < widest else references[references["trial"] != row["trial"]]
            rows.append(
                {
                    "method": method,
                    "density": density,
                    "width": row["width"],
                    "trial": row["trial"],
                    "distance": _distance(row["histogram"], others["histogram"]),
                    "null": _distance(row["null_histogram"], others["null_histogram"]),
                }
            )
    return pd.DataFrame(rows)


def cauchy_distances(masks: pd.DataFrame) -> pd.DataFrame:
    """Distance between the expected histograms of each width and the next, with the trials' noise taken out.

    The mean squared distance between histograms of two widths, less half of that among the histograms of either, is an
    unbiased estimate of the squared distance between their expectations (an energy distance). What sorting makes of
    noise is part of the expectation and stays in.

    Parameters
    ----------
    masks : DataFrame
        As for :func:`distances_to_widest`.

    Returns
    -------
    DataFrame
        One row a method, density and pair of widths: ``method``, ``density``, ``width`` (the smaller), ``distance``
        (relative L2; 0 where the estimate of its square is negative), and ``null`` for the Erdős-Rényi masks.

    Raises
    ------
    ValueError
        If there are fewer than two trials, or several layers.
    """
    _check(masks)
    rows = []
    for (method, density), group in masks.groupby(["method", "density"], sort=False):
        for width, wider in itertools.pairwise(sorted(group["width"].unique())):
            row = {"method": method, "density": density, "width": width}
            for name, column in (("distance", "histogram"), ("null", "null_histogram")):
                a, b = (_vectors(group.loc[group["width"] == w, column]) for w in (width, wider))
                squared = _mean_square(a, b) - (_mean_square(a) + _mean_square(b)) / 2
                row[name] = np.sqrt(max(squared, 0.0))
            rows.append(row)
    return pd.DataFrame(rows)


def distance_matrix(masks: pd.DataFrame) -> Array:
    """Relative L2 distances between the histograms of all pairs of masks (claim C2); (n, n)."""
    vectors = _vectors(masks["histogram"])
    return np.asarray(cdist(vectors, vectors), dtype=np.float64)


def relative(histogram: Array) -> Array:
    """A histogram over its mean; zero for a mask that keeps nothing."""
    return np.asarray(histogram / (histogram.mean() or 1.0), dtype=np.float64)


def _check(masks: pd.DataFrame) -> None:
    trials, layers = masks.groupby(["method", "density", "width"])["trial"].nunique().min(), masks["layer"].nunique()
    if trials < 2 or layers > 1:
        raise ValueError(
            f"masks has {trials} trial(s) and {layers} layer(s), but distances need at least 2 trials of one layer"
        )


def _vectors(histograms: Any) -> Array:
    """Relative histograms as vectors whose Euclidean distance is the L2 distance of the step functions."""
    stacked = np.stack([relative(histogram).ravel() for histogram in histograms])
    return np.asarray(stacked / np.sqrt(stacked.shape[1]), dtype=np.float64)


def _distance(histogram: Array, others: Any) -> float:
    return float(np.linalg.norm(_vectors([histogram])[0] - _vectors(others).mean(axis=0)))


def _mean_square(a: Array, b: Array | None = None) -> float:
    """Mean squared distance between two groups, or between the distinct members of one."""
    if b is not None:
        return float(cdist(a, b, "sqeuclidean").mean())
    return float(pdist(a, "sqeuclidean").mean())
