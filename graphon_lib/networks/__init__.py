"""Multi-layer perceptrons and small convolutional networks, their prunable layers, and their pass under masks.

A *mask* is a bool tensor of the shape of one layer's weight, rows being the layer's outputs; *masks* is a dict from
parameter name (``"0.weight"``) to mask, in the order in which the layers stand in the model. Everything here works on
any ``nn.Module`` whose ``nn.Linear`` and ``nn.Conv2d`` layers are defined in the order in which they act.
"""

from graphon_lib.networks.architectures import ACTIVATION_LAYERS as ACTIVATION_LAYERS
from graphon_lib.networks.architectures import INITIALISATIONS as INITIALISATIONS
from graphon_lib.networks.architectures import Erf as Erf
from graphon_lib.networks.architectures import cnn as cnn
from graphon_lib.networks.architectures import mlp as mlp
from graphon_lib.networks.layers import Masks as Masks
from graphon_lib.networks.layers import PrunableLayer as PrunableLayer
from graphon_lib.networks.layers import check_masks as check_masks
from graphon_lib.networks.layers import forward as forward
from graphon_lib.networks.layers import linear_layers as linear_layers
from graphon_lib.networks.layers import masks_of as masks_of
from graphon_lib.networks.layers import prunable_layers as prunable_layers
