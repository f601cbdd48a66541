"""Tiles: the same numbers for any number of threads or processes, files that survive a kill, and errors by name."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from distributed import Client, LocalCluster
from numpy.typing import NDArray

from graphon_lib import StepGraphon, graphon_nngp, graphon_ntk
from graphon_lib.activations import LeakyReLU
from graphon_lib.kernels import tiles
from graphon_lib.kernels.recursion import SIDE, one_thread

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2 * SIDE + 44, 12))
CHAIN = [StepGraphon(RNG.random((7, 3))), StepGraphon(RNG.random((5, 7))), StepGraphon(RNG.random((2, 5)))]


@pytest.fixture
def threads() -> Iterator[Any]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_bits_do_not_depend_on_threads(threads: Any, activation: str, dtype: Any) -> None:
    found = []
    for number in (1, 2, 8):
        threads(number)
        found += [graphon_ntk(X, CHAIN, activation=activation, dtype=dtype)]
        assert torch.get_num_threads() == number
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_the_number_of_threads_comes_back_after_an_error(threads: Any) -> None:
    threads(2)
    with contextlib.suppress(ZeroDivisionError), one_thread(), one_thread():
        assert torch.get_num_threads() == 1
        _ = 1 / 0
    assert torch.get_num_threads() == 2


def test_a_whole_kernel_is_that_of_its_parts() -> None:
    whole = graphon_ntk(X, CHAIN)
    parts = np.vstack([graphon_ntk(X[:150], CHAIN, other=X), graphon_ntk(X[150:], CHAIN, other=X)])
    np.testing.assert_allclose(parts, whole, rtol=1e-13, atol=1e-14 * whole.max())


# --- A cluster ---


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as connected,
    ):
        yield connected


# distributed warns of its own open sockets when worker processes are replaced.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_cluster_gives_the_same_bits(client: Client, dtype: Any) -> None:
    for other in (None, X[:200]):
        expected = graphon_ntk(X, CHAIN, other=other, dtype=dtype)
        found = graphon_ntk(X, CHAIN, other=other, dtype=dtype, client=client)
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(
        graphon_nngp(X, CHAIN, activation="tanh", client=client), graphon_nngp(X, CHAIN, activation="tanh")
    )


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_killed_worker_costs_its_tiles_only(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    victims, written = list(client.run(os.getpid).values()), []
    write = tiles._write

    def write_and_kill(*arguments: Any) -> None:
        write(*arguments)
        written.append(arguments[2])
        if len(written) == 1:
            os.kill(victims[0], signal.SIGKILL)

    monkeypatch.setattr(tiles, "_write", write_and_kill)
    x = RNG.normal(size=(8 * SIDE, 12))
    found = graphon_ntk(x, CHAIN, client=client)
    monkeypatch.undo()
    np.testing.assert_array_equal(found, graphon_ntk(x, CHAIN))
    assert len(written) == len(set(written)) == 8 * 9 / 2


# --- Where the result goes ---


def test_arrays_and_memory_maps_are_filled(tmp_path: Path) -> None:
    expected = graphon_ntk(X, CHAIN)
    array = np.full_like(expected, np.nan)
    assert graphon_ntk(X, CHAIN, out=array) is array
    np.testing.assert_array_equal(array, expected)
    mapped: NDArray[Any] = np.lib.format.open_memmap(
        tmp_path / "k.npy", mode="w+", dtype=np.float64, shape=expected.shape
    )
    graphon_ntk(X, CHAIN, out=mapped)
    np.testing.assert_array_equal(np.load(tmp_path / "k.npy"), expected)


def test_a_file_is_begun_resumed_and_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, path = graphon_ntk(X, CHAIN), tmp_path / "kernel.npy"
    computed = []
    compute = tiles.compute

    def stop_at_fourth(plan: Any, *tile: int) -> Any:
        if len(computed) == 3:
            raise KeyboardInterrupt
        computed.append(tile)
        return compute(plan, *tile)

    monkeypatch.setattr(tiles, "compute", stop_at_fourth)
    with pytest.raises(KeyboardInterrupt):
        graphon_ntk(X, CHAIN, out=path)
    noted = (tmp_path / "kernel.npy.tiles").read_text().splitlines()[1:]
    assert 1 <= len(noted) <= 3
    # A line that a kill cut short counts for nothing.
    with (tmp_path / "kernel.npy.tiles").open("a") as list_of_tiles:
        list_of_tiles.write("128")
    computed.clear()
    monkeypatch.setattr(tiles, "compute", lambda plan, *tile: (computed.append(tile), compute(plan, *tile))[1])
    found = graphon_ntk(X, CHAIN, out=str(path))
    assert isinstance(found, np.memmap)
    np.testing.assert_array_equal(found, expected)
    assert len(computed) == 6 - len(noted)
    # Once whole, it is only read.
    computed.clear()
    np.testing.assert_array_equal(graphon_ntk(X, CHAIN, out=path), expected)
    assert computed == []
    np.testing.assert_array_equal(np.load(path), expected)


def test_a_killed_process_loses_the_tiles_in_work_only(tmp_path: Path) -> None:
    path, script = tmp_path / "kernel.npy", tmp_path / "script.py"
    script.write_text(
        "import numpy as np\nfrom graphon_lib import StepGraphon, graphon_ntk\n"
        "rng = np.random.default_rng(0)\n"
        "chain = [StepGraphon(rng.random((48, 48))) for _ in range(5)]\n"
        f"graphon_ntk(rng.normal(size=(1100, 48)), chain, out={str(path)!r})\n"
    )
    notes = path.with_name("kernel.npy.tiles")
    process = subprocess.Popen([sys.executable, script])
    deadline = time.monotonic() + 120
    while not (notes.exists() and notes.read_text().count("\n") >= 4):
        assert process.poll() is None, "ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    before = notes.read_text()
    assert before.count("\n") < 46  # 45 tiles, and the fingerprint
    subprocess.run([sys.executable, script], check=True)
    after = notes.read_text().splitlines()
    assert after[: before.count("\n")] == before.splitlines()[: before.count("\n")]
    assert len(after) == len(set(after)) == 46
    rng = np.random.default_rng(0)
    chain = [StepGraphon(rng.random((48, 48))) for _ in range(5)]
    np.testing.assert_array_equal(np.load(path), graphon_ntk(rng.normal(size=(1100, 48)), chain))


def test_memory_beyond_the_result_stays_small(tmp_path: Path) -> None:
    """3,000 images, 32 blocks: everything for all pairs at once would be gigabytes."""
    script = (
        "import re, numpy as np\nfrom graphon_lib import StepGraphon, graphon_ntk\n"
        "rng = np.random.default_rng(0)\nx = rng.normal(size=(3000, 32))\n"
        "chain = [StepGraphon(rng.random((32, 32))) for _ in range(3)]\n"
        "graphon_ntk(x[:300], chain, dtype=np.float32)\n"
        # Not getrusage, whose peak a process inherits from the one that started it.
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
        "before = peak()\ngraphon_ntk(x, chain, dtype=np.float32)\nprint(peak() - before)\n"
    )
    grown = int(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout)
    assert grown * 1024 < 3000**2 * 4 + 60e6


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.empty((3, 3)), ValueError, r"out has shape \(3, 3\) and type float64, but the kernel has \(300, 300\) and"),
        (
            np.empty((300, 300), np.float32),
            ValueError,
            "out has shape .* float32, but .* and float64; make it np.empty",
        ),
        ([[0.0]], TypeError, "out is a list, but must be a numpy array, a memory map, or the name of a file"),
    ],
)
def test_results_that_do_not_fit(out: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        graphon_ntk(X, CHAIN, out=out)


def test_files_of_other_kernels_are_not_touched(tmp_path: Path) -> None:
    mine, foreign = tmp_path / "mine.npy", tmp_path / "foreign.npy"
    graphon_ntk(X, CHAIN, out=mine)
    content = mine.read_bytes()
    others = ({"activation": "erf"}, {"weight_variance": 1.0}, {"dtype": np.float32}, {"other": X})
    for arguments in others:
        with pytest.raises(ValueError, match=r"out is '.*mine.npy', which holds a kernel of other arguments"):
            graphon_ntk(X, CHAIN, out=mine, **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="which holds a kernel of other arguments"):
        graphon_nngp(X, CHAIN, out=mine)
    assert mine.read_bytes() == content
    linear, absolute = tmp_path / "linear.npy", LeakyReLU(-1.0)
    graphon_ntk(X, CHAIN, activation="linear", out=linear)
    with pytest.raises(ValueError, match="which holds a kernel of other arguments"):
        graphon_ntk(X, CHAIN, activation=absolute, out=linear)  # of equal second moments
    np.save(foreign, np.zeros(3))
    with pytest.raises(ValueError, match=r"out is '.*foreign.npy', which exists, but was not begun by this function"):
        graphon_ntk(X, CHAIN, out=foreign)
