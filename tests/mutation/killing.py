"""A pytest plugin that runs the collected tests once, to learn which reach what, and then once for each mutant.

Its orders are in the file that MUTATION_ORDERS names: ``mutants``, their names; ``found``, the file to write to what
became of each, as ``verdicts``, and which tests were ``left_out``; ``processes``, how many at a time.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

# Seconds of processor and of clock that a mutant's tests may take beyond some times what they take without it.
GRACE, TIMES, CLOCK = 10, 4, 900
# Bytes that a mutant may ask for beyond what is there: some ask for all there is.
ROOM = 4 * 2**30


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    if session.testsfailed:
        raise session.Interrupted("tests cannot be collected")
    orders = json.loads(Path(os.environ["MUTATION_ORDERS"]).read_text())
    reaching, seconds, left_out = rehearse(session.items)
    found: dict[str, str] = {}
    running: dict[int, str] = {}
    waiting = list(orders["mutants"])
    while waiting or running:
        while waiting and len(running) < orders["processes"]:
            name = waiting.pop()
            tests = sorted(reaching[name.partition("__mutmut_")[0]], key=lambda item: seconds[item])
            if not tests:
                found[name] = "no tests"
                continue
            pid = os.fork()
            if pid == 0:
                attempt(name, tests, sum(seconds[item] for item in tests))
            running[pid] = name
        if running:
            pid, status = os.wait()
            verdicts = {0: "survived", 1: "killed", -signal.SIGXCPU: "timeout", -signal.SIGALRM: "stuck"}
            found[running.pop(pid)] = verdicts.get(os.waitstatus_to_exitcode(status), "crashed")
    Path(orders["found"]).write_text(json.dumps({"verdicts": found, "left_out": left_out}))
    return True


def rehearse(
    items: list[pytest.Item],
) -> tuple[dict[str, set[pytest.Item]], dict[pytest.Item, float], list[str]]:
    """The tests that reach each function, how long each test takes, and those that fail without a mutant.

    What fails before there is a mutant cannot judge one, and is left out: so fewer are killed, never more.
    """
    set_mutant_under_test("stats")
    reaching: dict[str, set[pytest.Item]] = defaultdict(set)
    seconds: dict[pytest.Item, float] = {}
    left_out: list[str] = []
    for item, following in zip(items, [*items[1:], None], strict=True):
        state()._stats.clear()
        start = time.process_time()
        failures = [report for report in runtestprotocol(item, log=False, nextitem=following) if report.failed]
        if failures:
            print(f"{item.nodeid} fails without a mutant:\n{failures[0].longreprtext[-600:]}", flush=True)
            left_out.append(item.nodeid)
            continue
        seconds[item] = time.process_time() - start
        for function in state()._stats:
            reaching[function].add(item)
    if len(left_out) > len(items) // 20:
        raise pytest.UsageError(f"{len(left_out)} of {len(items)} tests fail without a mutant")
    return reaching, seconds, left_out


def attempt(name: str, tests: list[pytest.Item], needed: float) -> Any:
    """In a child: end with 1 if a test fails with the mutant switched on, with 0 if all pass."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    limit = int(time.process_time() + GRACE + TIMES * needed)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))
    # Without work for so long: locks of the parent's threads, which a fork does not bring along, or the mutant's own.
    signal.alarm(CLOCK + int(TIMES * needed))
    set_mutant_under_test(name)
    try:
        for item, following in zip(tests, [*tests[1:], None], strict=True):
            if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
                os._exit(1)
    except BaseException:
        os._exit(1)
    os._exit(0)
