"""How compiled code computes: the compiler's licence, and angles.

Angles come from an arctangent on [0, tan(pi/8)], a polynomial in its square that the compiler turns into vector code;
half-angle formulas bring every angle there, and none of them cancels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Compiled = TypeVar("Compiled", bound=Callable[..., Any])

# Within rounding of arctan(sqrt(w)) / sqrt(w) on [0, tan(pi/8)^2] (tested); by interpolation at Chebyshev's points.
SINGLE = (0.9999999993712282, -0.33333306893048514, 0.19998183041083206, -0.14239532669648974, 0.10569828806414448,
          -0.06026305227658459)  # fmt: skip
DOUBLE = (1.0, -0.3333333333333312, 0.19999999999940893, -0.14285714279250245, 0.11111110744919658,
          -0.09090896809064027, 0.07692045330902225, -0.06662951813629191, 0.05846878297330872,
          -0.05035102456601552, 0.03796525745386593, -0.017805397205419446)  # fmt: skip


def compiled(function: Compiled) -> Compiled:
    """Multiply-add in one rounding and no care for NaN (inputs are checked), but no re-ordering of sums."""
    flags = {"contract", "nnan", "ninf", "nsz"}
    return cast(Compiled, numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=flags)(function))


@compiled
def arctangent(t: Any, f: Any) -> Any:
    """arctan(t) for t in [-tan(pi/8), tan(pi/8)]; f is the precision, numpy.float32 or float64."""
    w = t * t
    if f(1e-10) + f(1) == f(1):
        p = ((((f(SINGLE[5]) * w + f(SINGLE[4])) * w + f(SINGLE[3])) * w + f(SINGLE[2])) * w + f(SINGLE[1])) * w
        return t * (p + f(SINGLE[0]))
    p = (((f(DOUBLE[11]) * w + f(DOUBLE[10])) * w + f(DOUBLE[9])) * w + f(DOUBLE[8])) * w + f(DOUBLE[7])
    p = ((((p * w + f(DOUBLE[6])) * w + f(DOUBLE[5])) * w + f(DOUBLE[4])) * w + f(DOUBLE[3])) * w + f(DOUBLE[2])
    return t * ((p * w + f(DOUBLE[1])) * w + f(DOUBLE[0]))
