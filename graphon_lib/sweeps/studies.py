"""The book's studies: by name, as it ran them, and what a notebook reads of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd

from graphon_lib.sweeps.convolutions import convolutions_study
from graphon_lib.sweeps.gaussian import degrees_study, gaussian_study
from graphon_lib.sweeps.goodness import goodness_study
from graphon_lib.sweeps.labels import labels_study
from graphon_lib.sweeps.limits import finite_kernels_study
from graphon_lib.sweeps.plans import METHODS, whole_curves_study, whole_ladder_study, whole_training_study
from graphon_lib.sweeps.recovery import blocks_study, flatness_study, recovery_study
from graphon_lib.sweeps.results import notebooks_folder
from graphon_lib.sweeps.sharpness import sharpness_study
from graphon_lib.sweeps.sources import tell
from graphon_lib.sweeps.study import Study, StudyError, run_study, stored_rows

DENSITIES = (0.3, 0.2, 0.1)

STUDIES: dict[str, Callable[[], Study]] = {
    "recovery": recovery_study,
    "blocks": blocks_study,
    "flatness": flatness_study,
    "goodness": lambda: goodness_study(METHODS, DENSITIES),
    "labels": lambda: labels_study(METHODS, DENSITIES),
    "sharpness": lambda: sharpness_study(METHODS, DENSITIES),
    "gaussian": gaussian_study,
    "degrees": degrees_study,
    "finite_kernels": finite_kernels_study,
    "training": whole_training_study,
    "ladder": whole_ladder_study,
    "curves": whole_curves_study,
    "convolutions": lambda: convolutions_study(METHODS),
}


def studied(study: Study) -> pd.DataFrame:
    """The rows of a study, one a configuration: those in ``notebooks/results/<group>/<name>`` of the project around the
    working directory as they are, the others computed, with progress, into ``notebooks/runs``.

    Raises
    ------
    FileNotFoundError
        If the working directory is outside the project.
    StudyError
        If a configuration fails, or a process is killed.
    """
    notebooks = notebooks_folder()
    stored_in, computed_in = notebooks / "results" / study.group / study.name, notebooks / "runs" / study.name
    published = stored_rows(stored_in).set_index("key")
    named = dict(zip(study.keys(), study.configurations, strict=True))
    lacking = [configuration for key, configuration in named.items() if key not in published.index]
    computed = run_study(replace(study, configurations=lacking), computed_in)
    if computed.errors:
        raise StudyError(
            f"{len(computed.errors)} configurations of study {study.name!r} failed; the first: {computed.errors[0]}"
        )
    tell(published[published.index.isin(list(named))], stored_in)
    tell(computed.rows, computed_in, computed=computed.computed)
    rows = pd.concat([published, computed.rows.set_index("key")]) if lacking else published
    return rows.loc[list(named)].reset_index()
