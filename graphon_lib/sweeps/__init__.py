"""Grids of trials: one seed of one configuration a row, in tidy tables that the figures draw.

A trial's weights, pruning batch and mini-batches come from its own seed, which depends on the sweep's seed, the width
and the trial's number only: methods and densities are compared on the same networks, widths on independent ones.

A :class:`Grid` describes a sweep of any size; :func:`sweep` computes on Dask what a :class:`Store` lacks of it. A
:class:`Study` is any function on a list of configurations; :func:`studied` finds or computes its rows.
"""

from graphon_lib.sweeps.config import Grid as Grid
from graphon_lib.sweeps.config import GridError as GridError
from graphon_lib.sweeps.curves import curves_study as curves_study
from graphon_lib.sweeps.gallery import gallery as gallery
from graphon_lib.sweeps.gaussian import degrees_study as degrees_study
from graphon_lib.sweeps.gaussian import gaussian_study as gaussian_study
from graphon_lib.sweeps.goodness import goodness_study as goodness_study
from graphon_lib.sweeps.grid import trial_seed as trial_seed
from graphon_lib.sweeps.labels import labels_study as labels_study
from graphon_lib.sweeps.ladder import ladder_study as ladder_study
from graphon_lib.sweeps.ladder import log_ranks as log_ranks
from graphon_lib.sweeps.ladder import rung_by_rung as rung_by_rung
from graphon_lib.sweeps.limits import finite_kernels_study as finite_kernels_study
from graphon_lib.sweeps.masks import mask_sweep as mask_sweep
from graphon_lib.sweeps.recovery import best_blocks as best_blocks
from graphon_lib.sweeps.recovery import blocks_study as blocks_study
from graphon_lib.sweeps.recovery import flatness_study as flatness_study
from graphon_lib.sweeps.recovery import recovery_study as recovery_study
from graphon_lib.sweeps.results import Results as Results
from graphon_lib.sweeps.results import notebooks_folder as notebooks_folder
from graphon_lib.sweeps.results import published as published
from graphon_lib.sweeps.results import results as results
from graphon_lib.sweeps.run import SchedulerError as SchedulerError
from graphon_lib.sweeps.run import SweepReport as SweepReport
from graphon_lib.sweeps.run import sweep as sweep
from graphon_lib.sweeps.sharpness import sharpness_study as sharpness_study
from graphon_lib.sweeps.starts import training_study as training_study
from graphon_lib.sweeps.store import Store as Store
from graphon_lib.sweeps.store import StoreError as StoreError
from graphon_lib.sweeps.studies import studied as studied
from graphon_lib.sweeps.study import Study as Study
from graphon_lib.sweeps.study import StudyError as StudyError
from graphon_lib.sweeps.study import read_study as read_study
from graphon_lib.sweeps.study import run_study as run_study
from graphon_lib.sweeps.summary import read_distances as read_distances
from graphon_lib.sweeps.summary import read_methods as read_methods
from graphon_lib.sweeps.summary import read_summaries as read_summaries
