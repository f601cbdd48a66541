"""What a process holds that belongs to nobody in particular, to see whether a call has changed it."""

from __future__ import annotations

import copy
import decimal
import gc
import locale
import logging
import os
import random
import signal
import sys
import threading
import warnings
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numba
import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_info


def snapshot() -> dict[str, Any]:
    """All of it, in a form that can be compared."""
    legacy: Any = np.random.get_state()  # noqa: NPY002 - the legacy generator is what must not move
    return {
        "random": random.getstate(),
        "numpy.random": (legacy[0], legacy[1].tobytes(), *legacy[2:]),
        "torch generator": torch.get_rng_state().numpy().tobytes(),
        "torch threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "numba threads": numba.get_num_threads(),
        "BLAS and OpenMP threads": [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()],
        "threads": {thread.name for thread in threading.enumerate() if not thread.daemon},
        "rcParams": dict(mpl.rcParams),
        "backend": mpl.get_backend(),
        "figures": plt.get_fignums(),
        "default dtype": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_anomaly_enabled()),
        "deterministic": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.backends.cudnn.deterministic,
            torch.backends.cudnn.benchmark,
        ),
        "matmul precision": torch.get_float32_matmul_precision(),
        "denormals": (sys.float_info.min / 2, float((torch.ones(1) * 1e-39)[0])),
        "numpy errors": (np.geterr(), np.geterrcall()),
        "numpy printing": np.get_printoptions(),
        "torch printing": vars(torch._tensor_str.PRINT_OPTS),
        "warnings": list(warnings.filters),
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "path": list(sys.path),
        "pandas": copy.deepcopy(pd.options.d),
        "locale": locale.setlocale(locale.LC_ALL),
        "decimal": str(decimal.getcontext()),
        "recursion": sys.getrecursionlimit(),
        "collector": (gc.isenabled(), gc.get_threshold()),
        "signals": (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)),
        "logging": (logging.root.level, list(logging.root.handlers), logging.root.manager.disable),
    }


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The names of what differs."""
    return [name for name, value in before.items() if after[name] != value]
