"""Step graphons, chains of them, the densities of patterns in them, and masks that are random but for their degrees.

A *graphon* W(u, v) in [0, 1] is the limit of a layer's mask as the layer widens: the chance that the weight from the
neuron at position v below to the neuron at position u above is kept. A *step graphon* is constant on the rectangles of
a grid. A *chain* holds the graphons of all layers of one network, jointly labelled.

The vertices of a convolution's mask are channels, and each of its kernel positions is a graph between them.
"""

from graphon_lib.graphons.chain import Chain as Chain
from graphon_lib.graphons.channels import channel_graphs as channel_graphs
from graphon_lib.graphons.densities import MOTIFS as MOTIFS
from graphon_lib.graphons.densities import Motif as Motif
from graphon_lib.graphons.densities import homomorphism_densities as homomorphism_densities
from graphon_lib.graphons.densities import homomorphism_density as homomorphism_density
from graphon_lib.graphons.densities import path_density as path_density
from graphon_lib.graphons.masks import as_bool_mask as as_bool_mask
from graphon_lib.graphons.masks import as_mask as as_mask
from graphon_lib.graphons.masks import degrees as degrees
from graphon_lib.graphons.masks import ordered_product as ordered_product
from graphon_lib.graphons.shuffle import degree_preserving_shuffle as degree_preserving_shuffle
from graphon_lib.graphons.shuffle import uniform_shuffle as uniform_shuffle
from graphon_lib.graphons.step import StepGraphon as StepGraphon
from graphon_lib.graphons.two_layers import two_layer_densities as two_layer_densities
