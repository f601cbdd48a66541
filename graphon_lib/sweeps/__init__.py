"""Grids of trials: one seed of one configuration a row, in tidy tables that the figures draw.

A trial's weights, pruning batch and mini-batches come from its own seed, which depends on the sweep's seed, the width
and the trial's number only: methods and densities are compared on the same networks, widths on independent ones.

A :class:`Grid` describes a sweep of any size; :func:`sweep` computes on Dask what a :class:`Store` lacks of it.
"""

from graphon_lib.sweeps.config import Grid as Grid
from graphon_lib.sweeps.config import GridError as GridError
from graphon_lib.sweeps.grid import trial_seed as trial_seed
from graphon_lib.sweeps.kernels import METRICS as METRICS
from graphon_lib.sweeps.kernels import kernel_sweep as kernel_sweep
from graphon_lib.sweeps.kernels import preactivation_sweep as preactivation_sweep
from graphon_lib.sweeps.kernels import spectrum_sweep as spectrum_sweep
from graphon_lib.sweeps.masks import mask_sweep as mask_sweep
from graphon_lib.sweeps.masks import path_density_sweep as path_density_sweep
from graphon_lib.sweeps.masks import recovery_sweep as recovery_sweep
from graphon_lib.sweeps.results import Results as Results
from graphon_lib.sweeps.results import notebooks_folder as notebooks_folder
from graphon_lib.sweeps.results import results as results
from graphon_lib.sweeps.run import SchedulerError as SchedulerError
from graphon_lib.sweeps.run import SweepReport as SweepReport
from graphon_lib.sweeps.run import sweep as sweep
from graphon_lib.sweeps.store import Store as Store
from graphon_lib.sweeps.store import StoreError as StoreError
from graphon_lib.sweeps.summary import read_distances as read_distances
from graphon_lib.sweeps.summary import read_methods as read_methods
from graphon_lib.sweeps.summary import read_summaries as read_summaries
from graphon_lib.sweeps.training import training_sweep as training_sweep
