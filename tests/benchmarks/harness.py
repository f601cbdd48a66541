"""Taking turns with a peer, medians with their intervals, and the peak memory of a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from scipy import stats

from graphon_lib.intervals import CONFIDENCE, Interval

FOLDER = Path(__file__).parent
THREADS = 2


@dataclass(frozen=True)
class Row:
    """One line of the report: what was measured, and what was asked for."""

    case: str
    unit: str  # of value, low and high: "times the peer", "s", "GB", "exponent" ...
    value: float
    low: float
    high: float
    asked: float | None = None  # the most that the value may be

    @property
    def missed(self) -> bool:
        return self.asked is not None and not self.value <= self.asked


class Peer:
    """A process that times calls of the peer and stays warm in between.

    Parameters
    ----------
    command : sequence of str
        Starts a process that speaks as :func:`benchmarks.peer.serve`.
    """

    def __init__(self, command: Sequence[str]) -> None:
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        except FileNotFoundError as error:
            raise ValueError(
                f"command starts {command[0]!r}, which is not there; `make benchmark` installs the peers"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer ended with code {self.process.wait()} when asked for {request}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"the peer failed when asked for {request}: {answer['error']}")
        return answer

    def seconds(self, problem: dict[str, Any]) -> float:
        """The time of one call that is not the first."""
        return float(self.ask({"problem": problem})["seconds"])


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


# Threads that wait for more work spin for a while after a call; who comes next should not pay for it.
REST = 0.3


def rested(contestant: Callable[[], float]) -> float:
    time.sleep(REST)
    return contestant()


def rounds_of(first: Callable[[], float], second: Callable[[], float], rounds: int) -> list[tuple[float, float]]:
    """Times of two contestants who take turns, rested, each starting every other round."""
    times = []
    for place in range(rounds):
        if place % 2 == 0:
            times.append((rested(first), rested(second)))
        else:
            late = rested(second)
            times.append((rested(first), late))
    return times


def median(values: Sequence[float]) -> Interval:
    """The median of at least two values, and a percentile interval from 9999 bootstrap samples."""
    found = stats.bootstrap(
        (values,), np.median, n_resamples=9999, confidence_level=CONFIDENCE, method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return Interval(float(np.median(values)), float(found.low), float(found.high))


def alone(name: str, **arguments: Any) -> dict[str, float]:
    """What :mod:`benchmarks.alone` says of a call in a process of its own: seconds, and peak memory in GB."""
    paths = [str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.alone", name, json.dumps(arguments)],
        stdout=subprocess.PIPE, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)},
    )  # fmt: skip
    answer: dict[str, float] = json.loads(result.stdout)
    return answer
