"""The benchmarks' harness at tiny sizes, with a peer that only pretends; what it says of speed is not looked at."""

from __future__ import annotations

import itertools
import json
import platform
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import __main__ as command
from benchmarks import alone, cases, harness, problems
from benchmarks.harness import FOLDER, Peer, Row

TINY = cases.Scale(
    pruned_width=20,
    pruning_rounds=3, training_steps=2, trained_densities=(0.5, 0.1),
    images=32, blocks=4, groups=2, depth=2, width=16, series_blocks=2, empirical_images=16, masked_images=8,
    many_images=48, chains=4, networks=3, network_width=16, rounds=3, slow_rounds=2,
    image_counts=(16, 32), block_counts=(2, 4), depths=(1, 2),
)  # fmt: skip


def gaussian(count: int) -> problems.Images:
    return np.random.default_rng(0).standard_normal((count, 784), dtype=np.float32)


def pretender(body: str) -> tuple[str, ...]:
    """Starts a process that speaks as the peer and, for each problem, runs ``body``."""
    program = f"""
import sys, time
sys.path.insert(0, {str(FOLDER)!r})
from peer import serve

def solve(problem):
    {body}

serve(solve, {{"pretender": "1"}})
"""
    return sys.executable, "-c", program


SLEEPER = pretender("print('chatter'); return lambda: time.sleep(0.001)")


def test_all_cases_end_in_a_table_and_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(problems, "images", gaussian)
    monkeypatch.setattr(cases, "alone", lambda name, **arguments: alone.run(name, arguments))
    result = tmp_path / "results" / "benchmark.json"
    missed = command.main(TINY, SLEEPER, result)
    said, text = capsys.readouterr(), result.read_text()
    found = json.loads(text)
    rows = [Row(**row) for row in found["cases"]]
    assert missed == sum(row.missed for row in rows) == said.out.count("MISSED")
    assert all(row.case in said.out for row in rows)
    assert all(f"{place}/{len(cases.CASES)} {c.__name__} ..." in said.err for place, c in enumerate(cases.CASES, 1))
    assert len({row.case for row in rows}) == len(rows)
    assert all(np.isfinite([row.low, row.value, row.high]).all() and row.low <= row.value <= row.high for row in rows)
    # Of the kernels' own limits, each case has one, two where time and memory are asked.
    limits = [row.asked for row in rows if row.asked is not None and "error" not in row.unit]
    assert limits == [6, 1.2, 15, 30, 2, 0.2, 3, 3, 0.1, 0.5, 0.5, 0.5, 0.5, 1.1, 1.1]
    assert {row.case: row.unit for row in rows}["growth with blocks"] == "exponent"
    assert found["machine"]["peer"] == {"pretender": "1"}
    assert set(found["machine"]) == {
        "date", "processor", "cores", "threads", "python", "versions", "peer", "commit",
    }  # fmt: skip
    for private in (str(FOLDER.parents[1]), str(tmp_path), platform.node(), str(Path.home())):
        assert private not in text


def test_a_missed_limit_is_counted_and_shown() -> None:
    rows = [Row("slow", "s", value, value, value, asked) for value, asked in ((2, 1), (1, 1), (np.nan, 1), (2, None))]
    assert [row.missed for row in rows] == [True, False, True, False]
    assert command.table(rows).count("at most 1: MISSED") == 2


def test_contestants_take_turns() -> None:
    clock = itertools.count()
    times = harness.rounds_of(lambda: next(clock), lambda: next(clock), 3)
    assert times == [(0, 1), (3, 2), (4, 5)]


def test_the_median_is_inside_its_interval_which_shrinks() -> None:
    rng = np.random.default_rng(0)
    few, many = (harness.median(rng.normal(3, 1, size=size)) for size in (15, 1500))
    for found in (few, many):
        assert found.low < found.estimate < found.high
    assert many.low < 3 < many.high
    # The standard error of a median of Gaussians is sqrt(pi / 2 / n).
    assert many.high - many.low == pytest.approx(2 * 1.96 * np.sqrt(np.pi / 2 / 1500), rel=0.3)
    assert few.high - few.low > many.high - many.low


def test_the_peer_is_timed_after_its_first_call() -> None:
    body = "calls = iter([0.5, 0.02, 0.02]); return lambda: time.sleep(next(calls))"
    with Peer(pretender(body)) as peer:
        assert all(0.02 <= peer.seconds({"kernel": "analytic"}) < 0.4 for _ in range(2))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise MemoryError('too large')", r"the peer failed when asked for .*: MemoryError: too large"),
        ("sys.exit(3)", r"the peer ended with code 3 when asked for"),
    ],
)
def test_a_failing_peer_is_reported(body: str, message: str) -> None:
    with Peer(pretender(body)) as peer, pytest.raises(RuntimeError, match=message):
        peer.seconds({"kernel": "analytic"})


def test_a_missing_peer_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"command starts .*, which is not there; `make benchmark` installs the peers"):
        Peer([str(tmp_path / "python")])


def test_a_process_of_its_own_tells_its_own_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", gaussian(8))
    ballast: Any = np.ones(300_000_000 // 8)  # of this process: the other one must not count it
    found = harness.alone("empirical", images=str(tmp_path / "images.npy"), depth=1, width=8, density=0.5)
    assert 0 < found["seconds"] < 5
    assert 0.05 < found["peak"] < alone.peak() - 0.15
    del ballast


def test_problems_are_what_they_are_called() -> None:
    first = problems.chain(5, 3, 4)[0], problems.chain(5, 3, 4, collapsible=True)[0]
    assert [np.linalg.matrix_rank(graphon.values) for graphon in first if graphon is not None] == [4, 1]
    assert problems.images(8).shape == (8, 784)
    many = problems.images(5001)
    assert many.shape == (5001, 784)
    assert many.dtype == np.float32


def test_the_peers_are_pinned() -> None:
    lines = (FOLDER / "requirements-peers.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w-]+==[\d.]+", pin) for pin in pins)
    assert {"neural-tangents==0.6.5", "jax==0.4.38", "jaxlib==0.4.38"} <= set(pins)
