"""The peer's side: kernels of neural-tangents, timed on request. Runs in .venv-peers, where graphon_lib is not.

One request a line on standard input, one answer a line on standard output, both JSON. A request names a problem; the
answer is the time of one call, which is never the first: that one compiles.
"""

from __future__ import annotations

import json
import os
import sys
import time
import types
from collections.abc import Callable
from typing import Any

Call = Callable[[], Any]
DISTRIBUTIONS = ("neural-tangents", "jax", "jaxlib", "numpy")


def serve(solve: Callable[[dict[str, Any]], Call], versions: dict[str, str]) -> None:
    """Answer {"problem": ...} with {"seconds": ...} and anything else with versions, until standard input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print must not mix with answers
    calls: dict[str, Call] = {}
    for line in sys.stdin:
        try:
            problem = json.loads(line).get("problem")
            if problem is None:
                answer: dict[str, Any] = {"versions": versions}
            else:
                key = json.dumps(problem, sort_keys=True)
                if key not in calls:
                    calls[key] = solve(problem)
                    calls[key]()
                start = time.perf_counter()
                calls[key]()
                answer = {"seconds": time.perf_counter() - start}
        except Exception as error:  # whatever it is, the other side reports it
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def neural_tangents(problem: dict[str, Any]) -> Call:
    """A compiled kernel of a ReLU network: analytic, or empirical with the mean over its outputs."""
    import jax
    import numpy as np
    from jax import numpy as jnp

    # Its TensorFlow interface is not used, and TensorFlow not installed.
    sys.modules.setdefault("neural_tangents.experimental", types.ModuleType("neural_tangents.experimental"))
    # Structured derivatives reach for two names that jax has moved since.
    jax.interpreters.ad.source_info_util = jax._src.source_info_util
    jax.interpreters.ad.config = jax.config
    import neural_tangents as nt
    from neural_tangents import stax

    x = jnp.asarray(np.load(problem["images"]), jnp.float32)
    layers = []
    for _ in range(problem["depth"]):
        layers += [stax.Dense(problem["width"], W_std=2**0.5, b_std=None), stax.Relu()]
    init, apply, kernel = stax.serial(*layers, stax.Dense(problem["outputs"], W_std=2**0.5, b_std=None))
    if problem["kernel"] == "analytic":
        analytic = jax.jit(lambda images: kernel(images, None, "ntk"))
        return lambda: analytic(x).block_until_ready()
    _, weights = init(jax.random.PRNGKey(0), (-1, x.shape[1]))
    rng = np.random.default_rng(1)
    masks = jax.tree_util.tree_map(
        lambda w: jnp.asarray(rng.random(w.shape) < problem["density"], jnp.float32), weights
    )

    def masked(kept: Any, images: Any) -> Any:
        return apply(jax.tree_util.tree_map(lambda w, mask: w * mask, kept, masks), images)

    empirical = jax.jit(
        nt.empirical_ntk_fn(
            apply if problem["density"] == 1 else masked,
            trace_axes=(-1,),
            vmap_axes=0,
            implementation=nt.NtkImplementation[problem["implementation"]],
        )
    )
    return lambda: empirical(x, None, weights).block_until_ready()


if __name__ == "__main__":
    from importlib.metadata import version

    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=true intra_op_parallelism_threads=2"
    serve(neural_tangents, {name: version(name) for name in DISTRIBUTIONS})
