"""All tiles of a kernel: side by side in threads, or on a Dask cluster, into memory or a file that can be resumed."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from graphon_lib.kernels.recursion import PANEL, SIDE, Plan, compute, one_thread

Array = NDArray[np.floating[Any]]
Tile = tuple[int, int]


def run(plan: Plan, *, out: Array | str | Path | None = None, client: Any = None) -> Array:
    """Compute a kernel's tiles; see :func:`graphon_lib.kernels.graphon_ntk` for ``out`` and ``client``."""
    rows, columns = plan.shape
    tiles = [
        (r, c)
        for r, c in itertools.product(range(0, rows, SIDE), range(0, columns, SIDE))
        if not plan.symmetric or c <= r
    ]
    # Panel by panel; whole tiles first, those half above the diagonal last, so that threads end together.
    tiles.sort(key=lambda tile: (plan.symmetric and tile[0] == tile[1], tile[0] // PANEL, tile[1] // PANEL, tile))
    if isinstance(out, (str, Path)):
        with _File(Path(out), plan) as file:
            done = file.done & set(tiles)
            for tile, values in _results(plan, [t for t in tiles if t not in done], client, initial=len(done)):
                _write(file.kernel, plan, tile, values)
                file.note(tile)
            return file.kernel
    kernel = np.empty(plan.shape, plan.x.dtype) if out is None else _checked(out, plan)
    for tile, values in _results(plan, tiles, client, initial=0):
        _write(kernel, plan, tile, values)
    return kernel


def _results(plan: Plan, tiles: list[Tile], client: Any, *, initial: int) -> Iterator[tuple[Tile, Array]]:
    """Tiles and their values, in the order in which they are ready."""
    source = _in_threads(plan, tiles) if client is None else _on_cluster(plan, tiles, client)
    yield from tqdm(
        source, total=initial + len(tiles), initial=initial, desc="kernel", unit="tile", disable=None, delay=2,
        leave=False,
    )  # fmt: skip


def _in_threads(plan: Plan, tiles: list[Tile]) -> Iterable[tuple[Tile, Array]]:
    threads = min(torch.get_num_threads(), len(tiles))
    if threads <= 1 or plan.device is not None:
        yield from ((tile, compute(plan, *tile)) for tile in tiles)
        return
    waiting = iter(tiles)
    with one_thread(), ThreadPoolExecutor(threads) as pool:
        running: dict[Future[Array], Tile] = {}
        try:
            for tile in itertools.islice(waiting, 2 * threads):
                running[pool.submit(compute, plan, *tile)] = tile
            while running:
                ready, _ = wait(running, return_when=FIRST_COMPLETED)
                for following in itertools.islice(waiting, len(ready)):
                    running[pool.submit(compute, plan, *following)] = following
                for future in ready:
                    yield running.pop(future), future.result()
        finally:
            for future in running:
                future.cancel()


def _on_cluster(plan: Plan, tiles: list[Tile], client: Any) -> Iterable[tuple[Tile, Array]]:
    from distributed import as_completed as as_computed

    # On every worker, so that one that dies takes its tiles with it and nothing else.
    shared = client.scatter(plan, broadcast=True)
    futures = {client.submit(compute, shared, *tile, pure=False): tile for tile in tiles}
    try:
        for future, values in as_computed(list(futures), with_results=True):
            yield futures.pop(future), values
    finally:
        client.cancel(list(futures))


def _write(kernel: Array, plan: Plan, tile: Tile, values: Array) -> None:
    (r, c), (rows, columns) = tile, values.shape
    kernel[r : r + rows, c : c + columns] = values
    if plan.symmetric:
        kernel[c : c + columns, r : r + rows] = values.T


class _File:
    """A kernel in a .npy file, and beside it a list of its finished tiles, under a line that tells whose they are."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self.list = path.with_name(path.name + ".tiles")
        header = f"{_fingerprint(plan)}\n"
        if self.list.exists() and path.exists():
            text = self.list.read_text()
            if not text.startswith(header):
                raise ValueError(
                    f"out is {str(path)!r}, which holds a kernel of other arguments (or of another version); "
                    "name another file, or delete this one and its .tiles"
                )
            # A line cut short by a kill has no end: its tile is computed again.
            lines = text[len(header) :].split("\n")[:-1]
            self.done = {(int(r), int(c)) for r, c in (line.split() for line in lines)}
            self.list.write_text(header + "".join(f"{line}\n" for line in lines))
            self.kernel: Array = np.lib.format.open_memmap(path, mode="r+")
        elif path.exists():
            raise ValueError(
                f"out is {str(path)!r}, which exists, but was not begun by this function; name another, or delete it"
            )
        else:
            self.done = set()
            self.list.write_text(header)  # first: a file without its list is somebody else's
            self.kernel = np.lib.format.open_memmap(path, mode="w+", dtype=plan.x.dtype, shape=plan.shape)

    def __enter__(self) -> _File:
        self.notes = self.list.open("a")
        return self

    def __exit__(self, *_: object) -> None:
        self.notes.close()
        self.kernel.flush()  # type: ignore[attr-defined]

    def note(self, tile: Tile) -> None:
        # Only what is written is noted: a kill costs the tiles in work. Both outlive the process, if not the machine.
        self.notes.write(f"{tile[0]} {tile[1]}\n")
        self.notes.flush()


def _fingerprint(plan: Plan) -> str:
    digest = hashlib.sha256()
    arrays = [plan.x, plan.y, plan.starts, *plan.operators, *plan.variances_x, *plan.variances_y, plan.shares]
    # Names and second moments do not tell activations apart (z from |z|); what they do to correlated pairs does.
    one, gaps = np.ones(5), np.array([0.2, 0.6, 1.0, 1.4, 1.8])
    arrays += plan.phi.dual(one, one, gaps, 2 - gaps)
    for array in (*arrays, plan.scale_x, plan.scale_y):
        digest.update(repr((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(
        repr((type(plan.phi).__qualname__, plan.scale, plan.tangent, plan.symmetric, plan.device, SIDE)).encode()
    )
    return digest.hexdigest()


def _checked(out: Array, plan: Plan) -> Array:
    if not isinstance(out, np.ndarray):
        raise TypeError(
            f"out is a {type(out).__name__}, but must be a numpy array, a memory map, or the name of a file"
        )
    if out.shape != plan.shape or out.dtype != plan.x.dtype:
        raise ValueError(
            f"out has shape {out.shape} and type {out.dtype}, but the kernel has {plan.shape} and {plan.x.dtype}; "
            "make it np.empty(shape, dtype), or pass the name of a file"
        )
    return out
