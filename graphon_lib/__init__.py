"""Pruning masks, their graphon limits, and the kernels that follow from them.

The public names; each is documented where it is defined. Read the modules in the order of these lines.
"""

# ruff: noqa: I001 - in the order in which to read the modules, low level first
from graphon_lib.data import Dataset, load_mnist
from graphon_lib.networks import cnn, masks_of, mlp
from graphon_lib.training import LossCurve, train
from graphon_lib.pruning import prune
from graphon_lib.graphons import (
    Chain,
    StepGraphon,
    channel_graphs,
    degree_preserving_shuffle,
    homomorphism_densities,
    homomorphism_density,
    path_density,
    uniform_shuffle,
)
from graphon_lib.cut import CutBound, cut_distance, cut_norm
from graphon_lib.estimation import estimate_chain, estimate_graphon
from graphon_lib.kernels import SecondMoment, graphon_nngp, graphon_ntk, second_moment_ntk
from graphon_lib.empirical import empirical_ntk
from graphon_lib.spectra import Spectrum, alignment, predicted_loss, spectrum
from graphon_lib.diagnosis import Diagnosis, diagnose

__all__ = [
    "Chain",
    "CutBound",
    "Dataset",
    "Diagnosis",
    "LossCurve",
    "SecondMoment",
    "Spectrum",
    "StepGraphon",
    "alignment",
    "channel_graphs",
    "cnn",
    "cut_distance",
    "cut_norm",
    "degree_preserving_shuffle",
    "diagnose",
    "empirical_ntk",
    "estimate_chain",
    "estimate_graphon",
    "graphon_nngp",
    "graphon_ntk",
    "homomorphism_densities",
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
    "uniform_shuffle",
]
