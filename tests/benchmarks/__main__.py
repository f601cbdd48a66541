"""Run all cases, print the table, write it for the book, and fail if a limit is missed."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.cases import CASES, Bench, Scale
from benchmarks.harness import FOLDER, THREADS, Peer, Row

ROOT = FOLDER.parents[1]
PEER = (str(ROOT / ".venv-peers" / "bin" / "python"), str(FOLDER / "peer.py"))


def processor() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def machine(peer: Peer) -> dict[str, Any]:
    """Where and with what the numbers came about: no names of hosts, users or folders."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": THREADS,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("graphon-lib", "numpy", "torch", "numba", "scipy")},
        "peer": peer.ask({})["versions"],
        "commit": commit.stdout.strip() or "unknown",
    }


def table(rows: list[Row]) -> str:
    width = max(len(row.case) for row in rows)
    lines = [f"{'case':{width}}  {'median [95 % interval]':28}  {'unit':14}  asked"]
    for row in rows:
        found = f"{row.value:.3g} [{row.low:.3g}, {row.high:.3g}]"
        asked = "" if row.asked is None else f"at most {row.asked:g}{': MISSED' if row.missed else ''}"
        lines.append(f"{row.case:{width}}  {found:28}  {row.unit:14}  {asked}".rstrip())
    return "\n".join(lines)


def main(scale: Scale, command: tuple[str, ...], result: Path) -> int:
    """Returns how many limits were missed."""
    rows: list[Row] = []
    with Peer(command) as peer, tempfile.TemporaryDirectory() as folder:
        facts = machine(peer)
        for place, case in enumerate(CASES, start=1):
            print(f"{place}/{len(CASES)} {case.__name__} ...", end="", file=sys.stderr, flush=True)
            start = time.perf_counter()
            rows += case(Bench(scale, peer, Path(folder)))
            print(f" {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    print(table(rows))
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps({"machine": facts, "cases": [asdict(row) for row in rows]}, indent=1) + "\n")
    return sum(row.missed for row in rows)


if __name__ == "__main__":
    # The peer inherits this: both contestants are held to the same processors.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    torch.set_num_threads(THREADS)
    sys.exit(min(main(Scale(), PEER, ROOT / "notebooks" / "results" / "benchmark.json"), 1))
