"""Densities of patterns through two neighbouring layers, and what they would be if the layers were independent."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from graphon_lib.graphons.masks import BoolArray, as_bool_mask, degrees

# Outputs whose paths to all inputs are counted at a time.
_PANEL = 256


def two_layer_densities(lower: ArrayLike, upper: ArrayLike) -> dict[str, float]:
    """Densities of a path and of a four-cycle through two layers, beside their means over all ways to glue the layers.

    Let A be the lower and B the upper mask, i an output of B, j an input of A, and v, v' neurons between, all drawn
    independently and uniformly; v and v' may be the same one, as in :func:`homomorphism_density`. Then

    .. math:: \\text{paths} = E\\, B_{iv} A_{vj} = \\frac{1^T B A 1}{n_i n_v n_j}, \\qquad
              \\text{C4} = E\\, B_{iv} A_{vj} B_{iv'} A_{v'j} = \\frac{\\lVert B A \\rVert_F^2}{n_i n_v^2 n_j}.

    With W the graphon of A and U that of B, jointly labelled, their limits are the integrals of U(x, v) W(v, y) and of
    U(x, v) W(v, y) U(x, v') W(v', y). They depend on *which* neurons of the layer between both masks favour, which no
    mask shows by itself. So beside them stand their means over all orders of these neurons in B, while A stays as it
    is: what the same masks would give if they knew nothing of each other. For paths, a ratio above 1 says that neurons
    with many inputs tend to have many outputs. Nothing is drawn at random: the means are computed from degrees.

    Parameters
    ----------
    lower : (V, J) matrix of zeros and ones
    upper : (I, V) matrix of zeros and ones

    Returns
    -------
    dict from str to float
        ``two_layer_paths``, ``two_layer_C4``, and of both ``..._shuffled``, the mean over orders; each the correctly
        rounded quotient of whole numbers.

    Raises
    ------
    ValueError
        If one is no matrix of zeros and ones, or upper has not as many columns as lower has rows.
    """
    A, B = as_bool_mask(lower, "lower"), as_bool_mask(upper, "upper")
    (V, J), outputs = A.shape, len(B)
    if B.shape[1] != V:
        raise ValueError(
            f"upper has {B.shape[1]} columns, but lower has {V} rows; pass the masks of neighbouring layers, the one "
            "nearer to the input first"
        )
    into, of_inputs = degrees(A)
    of_outputs, out_of = degrees(B)
    edges_A, edges_B = int(into.sum()), int(out_of.sum())
    # Four-cycles with v = v' are paths; the others are counted for both masks apart, by v and v' and what they share.
    apart = (int(of_inputs @ of_inputs) - edges_A) * (int(of_outputs @ of_outputs) - edges_B)
    together = Fraction(edges_A * edges_B, V)
    paths, cycles = J * V * outputs, J * V**2 * outputs
    return {
        "two_layer_paths": int(into @ out_of) / paths,
        "two_layer_C4": _squared_paths(A, B) / cycles,
        "two_layer_paths_shuffled": float(together / paths),
        "two_layer_C4_shuffled": float((together + (Fraction(apart, V * (V - 1)) if V > 1 else 0)) / cycles),
    }


def _squared_paths(lower: BoolArray, upper: BoolArray) -> int:
    """The sum, over all inputs and outputs, of the square of the number of paths between them."""
    # Whole numbers below 2^24 in single precision: exact in whatever order a library adds them.
    inputs, total = lower.astype(np.float32), 0
    for first in range(0, len(upper), _PANEL):
        paths = (upper[first : first + _PANEL].astype(np.float32) @ inputs).astype(np.int64).ravel()
        total += int(paths @ paths)
    return total
