"""Step graphons, chains of them, and the densities of patterns in them.

A *graphon* W(u, v) in [0, 1] is the limit of a layer's mask as the layer widens: the chance that the weight from the
neuron at position v below to the neuron at position u above is kept. A *step graphon* is constant on the rectangles of
a grid. A *chain* holds the graphons of all layers of one network, jointly labelled.
"""

from graphon_lib.graphons.chain import Chain as Chain
from graphon_lib.graphons.densities import as_mask as as_mask
from graphon_lib.graphons.densities import homomorphism_density as homomorphism_density
from graphon_lib.graphons.densities import path_density as path_density
from graphon_lib.graphons.step import StepGraphon as StepGraphon
