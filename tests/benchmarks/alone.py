"""One call in a process of its own: python -m benchmarks.alone graphon|empirical ARGUMENTS, these as JSON."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.harness import THREADS, seconds
from benchmarks.problems import chain, empirical_call, graphon_call

WARM = 30


def peak() -> float:
    """The most memory this process has held, in GB.

    Not from getrusage, whose peak a process takes over from the one that started it.
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024 / 1e9


def run(name: str, arguments: dict[str, Any]) -> dict[str, float]:
    """Seconds and peak memory of one call; a small one goes before it, so that no compiling is timed."""
    images = np.load(arguments.pop("images"))
    if name == "graphon":
        activation = arguments.pop("activation")
        graphons = chain(**arguments)
        warm, call = (graphon_call(x, graphons, activation=activation) for x in (images[:WARM], images))
    else:
        warm, call = (empirical_call(x, **arguments) for x in (images[:WARM], images))
    warm()
    return {"seconds": seconds(call), "peak": peak()}


if __name__ == "__main__":
    torch.set_num_threads(THREADS)
    print(json.dumps(run(sys.argv[1], json.loads(sys.argv[2]))))
