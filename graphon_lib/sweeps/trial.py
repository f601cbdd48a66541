"""Trials at work: one network and one scoring for all densities, then the measures of every hidden mask."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import math
import platform
import subprocess
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from graphon_lib.data import Dataset, gaussian_teacher, load_mnist
from graphon_lib.graphons import path_density, two_layer_densities
from graphon_lib.kernels.recursion import one_thread
from graphon_lib.networks import Masks, mlp
from graphon_lib.pruning import prune
from graphon_lib.sweeps.config import Trial
from graphon_lib.sweeps.grid import trial_seed
from graphon_lib.sweeps.measures import measure_mask

Row = dict[str, Any]

# Methods that train see this many images, all of the embedded digits; the others see a pruning batch.
TRAINED = ("trained_magnitude", "lottery_ticket")
TRAINING_IMAGES = 5000

# At the root of an archive of this project, which git knows nothing of: the commit that it was made of, and its time.
COMMIT_FILE = "COMMIT"


def groups(trials: Sequence[Trial]) -> list[list[Trial]]:
    """Trials that differ in nothing but their density, together: they share a network and its scores."""
    ordered = sorted(trials, key=lambda trial: _network(trial).key)
    return [list(group) for _, group in itertools.groupby(ordered, key=lambda trial: _network(trial).key)]


def run_trials(trials: Sequence[Trial]) -> tuple[list[Row], list[Row]]:
    """The rows of trials that differ in nothing but their density, and the histograms of their hidden masks.

    What a trial's row says depends on its configuration alone: not on which other trials it is computed with. An error
    while a mask is measured costs that trial only, and is told in its row.

    Parameters
    ----------
    trials : sequence of Trial
        One of :func:`groups`.

    Returns
    -------
    rows : list of dict
        One a trial: ``key``, the fields of its configuration, ``layer_densities`` (of all layers, input to output),
        ``path_density`` (of the whole network), ``two_layer_...`` (of each pair of neighbouring layers, see
        :func:`graphon_lib.graphons.two_layer_densities`), a list with an entry a hidden mask for every scalar of
        :func:`graphon_lib.sweeps.measures.measure_mask` (its density as ``mask_density``), rounded to 24 binary digits,
        ``run_time`` (seconds; what is shared is split evenly),
        ``versions``, ``commit``, ``time`` (UTC, ISO) and ``error`` (None, or "Type: message").
    histograms : list of dict
        One a trial that measures them: ``key`` and, flat and in float32, the (hidden masks, blocks, blocks) arrays
        ``mask``, and of the null models ``erdos_renyi`` and ``equal_degrees``.
    """
    rows: list[Row] = []
    histograms: list[Row] = []
    with one_thread(), warnings.catch_warnings():
        # That a layer lost all its weights stands in the row, as a density of zero.
        warnings.filterwarnings("ignore", message=".* keeps no weight of ", category=UserWarning)
        start = time.perf_counter()
        try:
            pruned = _prune(trials)
        except Exception as error:
            return failed_rows(trials, _told(error)), []
        shared = (time.perf_counter() - start) / len(trials)
        for trial, masks in zip(trials, pruned, strict=True):
            start = time.perf_counter()
            try:
                measured, kept = _measure(trial, masks)
            except Exception as error:
                rows += failed_rows([trial], _told(error))
                continue
            rows.append(_row(trial, **measured, run_time=shared + time.perf_counter() - start, error=None))
            if "histograms" in trial.measure:
                histograms.append({"key": trial.key, **kept})
    return rows, histograms


def failed_rows(trials: Sequence[Trial], error: str) -> list[Row]:
    """Rows that say why there are no results."""
    return [_row(trial, run_time=None, error=error) for trial in trials]


def _network(trial: Trial) -> Trial:
    return replace(trial, density=1.0)


def _prune(trials: Sequence[Trial]) -> list[Masks]:
    first = trials[0]
    seed = trial_seed(first.seed, first.width, first.trial)
    batch = _data(first, seed)
    inputs = batch.inputs.shape[1]
    model = mlp(first.depth, first.width, inputs=inputs, initialisation=first.initialisation, seed=seed)
    return prune(
        model,
        first.method,
        [trial.density for trial in trials],
        inputs=batch.inputs,
        targets=batch.labels,
        seed=seed,
        rounds=first.rounds,
    )


def _data(trial: Trial, seed: int) -> Dataset:
    images = TRAINING_IMAGES if trial.method in TRAINED else trial.images
    return load_mnist(images, seed=seed) if trial.data == "mnist" else gaussian_teacher(images, trial.width, seed=seed)


def _measure(trial: Trial, masks: Masks) -> tuple[Row, Row]:
    measured: Row = {"layer_densities": [mask.count_nonzero().item() / mask.numel() for mask in masks.values()]}
    if "path_density" in trial.measure:
        measured["path_density"] = _rounded(path_density(masks))
    if "chain" in trial.measure:
        pairs = [two_layer_densities(lower, upper) for lower, upper in itertools.pairwise(masks.values())]
        measured |= {name: [_rounded(of_pair[name]) for of_pair in pairs] for name in pairs[0]}
    scalars, histograms = [], []
    for layer, mask in enumerate(list(masks.values())[1:-1], start=1):
        of_mask, of_histograms = measure_mask(
            mask,
            seed=_null_seed(trial, layer),
            blocks=trial.blocks,
            motifs="motifs" in trial.measure,
            nulls="null_models" in trial.measure,
        )
        scalars.append(of_mask)
        histograms.append(of_histograms)
    # The column "density" is what was asked of the whole network.
    columns = {name: "mask_density" if name == "density" else name for name in scalars[0]}
    measured |= {column: [_rounded(of_mask[name]) for of_mask in scalars] for name, column in columns.items()}
    flat = {kind: np.stack([of[kind] for of in histograms]).astype(np.float32).ravel() for kind in histograms[0]}
    return measured, flat


def _rounded(value: float) -> float:
    """A number to the 24 binary digits of single precision, 6e-8: the rest is no result, and takes as much room."""
    fraction, exponent = math.frexp(value)
    return math.ldexp(round(math.ldexp(fraction, 24)), exponent - 24)


def _null_seed(trial: Trial, layer: int) -> int:
    # Of everything that decides the mask, and nothing that does not, so that null models of any two masks are
    # independent and stay what they are when more is measured.
    drawn_for = replace(trial, measure=(), blocks=0)
    return int.from_bytes(hashlib.sha256(f"null model {layer} {drawn_for.key}".encode()).digest()[:7])


def _row(trial: Trial, **columns: Any) -> Row:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "key": trial.key,
        **asdict(trial),
        **columns,
        "versions": versions(),
        "commit": commit(),
        "time": now,
    }


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@functools.cache
def versions() -> str:
    """What computes here, as JSON: Python and the packages that decide a row's numbers."""
    packages = {name: version(name) for name in ("torch", "numpy", "numba", "graphon_lib")}
    return json.dumps({"python": platform.python_version(), **packages})


@functools.cache
def commit() -> str:
    """The git commit of this library, "-dirty" behind it if files differ (results do not count).

    Without git it is what the file ``COMMIT`` of an unpacked archive says, with "-archive" behind it since nobody can
    tell whether files differ; without that file, "unknown".
    """
    library = Path(__file__).parents[2]
    try:
        # Installed as a package, the library may lie inside a repository that knows nothing of it.
        _git(library, "ls-files", "--error-unmatch", "graphon_lib/sweeps/grid.py")
        changed = _git(library, "status", "--porcelain", "--", ".", ":(exclude)notebooks/results")
        return _git(library, "rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        told = library / COMMIT_FILE
        return told.read_text(encoding="utf8").split()[0] if told.is_file() else "unknown"


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
