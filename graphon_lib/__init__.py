"""Pruning masks, their graphon limits, and the kernels that follow from them.

The public names; each is documented where it is defined. Read the modules in the order of these lines.
"""

# ruff: noqa: I001 - in the order in which to read the modules, low level first
from graphon_lib.data import Dataset, load_mnist
from graphon_lib.networks import masks_of, mlp
from graphon_lib.pruning import prune
from graphon_lib.graphons import Chain, StepGraphon, homomorphism_density, path_density
from graphon_lib.estimation import estimate_chain, estimate_graphon
from graphon_lib.kernels import SecondMoment, graphon_nngp, graphon_ntk, second_moment_ntk
from graphon_lib.empirical import empirical_ntk
from graphon_lib.spectra import Spectrum, alignment, predicted_loss, spectrum
from graphon_lib.training import LossCurve, train

__all__ = [
    "Chain",
    "Dataset",
    "LossCurve",
    "SecondMoment",
    "Spectrum",
    "StepGraphon",
    "alignment",
    "empirical_ntk",
    "estimate_chain",
    "estimate_graphon",
    "graphon_nngp",
    "graphon_ntk",
    "homomorphism_density",
    "load_mnist",
    "masks_of",
    "mlp",
    "path_density",
    "predicted_loss",
    "prune",
    "second_moment_ntk",
    "spectrum",
    "train",
]
