"""One function a figure of the book: tidy tables in, a figure out."""

from graphon_lib.figures.limits import collapse_scatter as collapse_scatter
from graphon_lib.figures.limits import kernel_convergence as kernel_convergence
from graphon_lib.figures.limits import preactivation_histograms as preactivation_histograms
from graphon_lib.figures.masks import between_and_within as between_and_within
from graphon_lib.figures.masks import distance_curves as distance_curves
from graphon_lib.figures.masks import histogram_grid as histogram_grid
from graphon_lib.figures.masks import path_density_bars as path_density_bars
from graphon_lib.figures.masks import recovery_curves as recovery_curves
from graphon_lib.figures.masks import width_slider as width_slider
from graphon_lib.figures.overview import overview as overview
from graphon_lib.figures.style import METHOD_NAMES as METHOD_NAMES
from graphon_lib.figures.style import percent_sparse as percent_sparse
from graphon_lib.figures.training import METRIC_NAMES as METRIC_NAMES
from graphon_lib.figures.training import eigenvalue_explorer as eigenvalue_explorer
from graphon_lib.figures.training import loss_curves as loss_curves
from graphon_lib.figures.training import metrics_by_sparsity as metrics_by_sparsity
from graphon_lib.figures.training import rank_correlations as rank_correlations
from graphon_lib.figures.training import start_against_paths as start_against_paths
