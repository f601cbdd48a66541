"""Training of masked networks: the loss curves by which the paper compares methods, and those that kernels predict."""

from graphon_lib.training.descent import descend as descend
from graphon_lib.training.stochastic import OPTIMIZERS as OPTIMIZERS
from graphon_lib.training.stochastic import LossCurve as LossCurve
from graphon_lib.training.stochastic import train as train
