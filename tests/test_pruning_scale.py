"""Pruning at the sizes of the paper: the original authors' arithmetic, very deep networks, memory."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from original_programs import original

from graphon_lib.data import load_mnist
from graphon_lib.networks import Masks, mlp, prunable_layers
from graphon_lib.pruning import prune


def agreement(first: Masks, second: Masks) -> float:
    return float(np.mean(torch.cat([(first[name] == second[name]).flatten() for name in first]).numpy()))


@pytest.mark.parametrize(("depth", "width"), [(2, 100), (4, 150), (2, 500)])
@pytest.mark.parametrize("initialisation", ["pytorch", "he"])
@pytest.mark.parametrize(
    ("method", "least"), [("magnitude", 0.9999), ("snip", 0.9999), ("grasp", 0.999), ("synflow", 0.995)]
)
def test_masks_are_those_of_the_original_programs(
    method: str, least: float, depth: int, width: int, initialisation: str
) -> None:
    digits = load_mnist(100)
    model = mlp(depth, width, initialisation=initialisation, seed=3)
    for density in (0.3, 0.1):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="magnitude .* keeps no weight of")
            masks = prune(model, method, density, inputs=digits.inputs, targets=digits.labels)
        assert agreement(masks, original(model, method, density)) >= least


def test_synflow_in_40_layers_where_single_precision_overflows() -> None:
    # 40 layers of width 300 pass the range of single precision (1e38) as 40 layers of width 1024 do.
    model = mlp(40, 300)
    ones = torch.ones(1, 784)
    for layer in prunable_layers(model).values():
        layer.weight.data.abs_()
    assert not torch.isfinite(model(ones)).any()
    masks = prune(model, "synflow", 0.1, rounds=3)
    assert sum(int(mask.sum()) for mask in masks.values()) == round(0.1 * sum(mask.numel() for mask in masks.values()))
    assert agreement(masks, original(model, "synflow", 0.1, rounds=3, dtype=torch.float64)) > 0.99999


def test_synflow_rescaled_is_synflow_where_double_precision_overflows() -> None:
    # Scaling a layer by a power of two scales all flows alike, and rounds nothing.
    model, huge = mlp(12, 30, seed=1), mlp(12, 30, seed=1)
    with torch.no_grad():
        for layer in prunable_layers(huge).values():
            layer.weight *= 2.0**100
    small, large = (prune(network, "synflow", 0.3, rounds=10) for network in (model, huge))
    assert all(torch.equal(small[name], large[name]) for name in small)


MEMORY = """
import sys
import torch
from graphon_lib.data import load_mnist
from graphon_lib.networks import mlp
from graphon_lib.pruning import prune

method = sys.argv[1]
digits = load_mnist(100)
# What is compiled or loaded at the first use does not count.
prune(mlp(2, 32), method, 0.5, inputs=digits.inputs, targets=digits.labels, rounds=2)

def resident(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))

before = resident("VmRSS")
model = mlp(4, 2000)
weights = sum(parameter.numel() * 4 for parameter in model.parameters())
with open("/proc/self/clear_refs", "w") as refs:
    refs.write("5")
prune(model, method, 0.2, inputs=digits.inputs, targets=digits.labels)
print((resident("VmHWM") - before) / weights)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
@pytest.mark.parametrize("method", ["random", "magnitude", "snip", "grasp", "synflow"])
def test_peak_memory_is_at_most_four_times_the_weights(method: str) -> None:
    """The model itself included, and what the C library keeps for itself of freed memory left out."""
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, method], capture_output=True, text=True, check=True, env=environment
    )
    assert 1 < float(done.stdout) <= 4, done.stdout
