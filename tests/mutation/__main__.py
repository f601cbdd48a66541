"""Run all mutants, or a random sample of each folder's, and print the share that tests kill."""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import get_mutant_name
from scipy.stats import binomtest

ROOT = Path(__file__).parents[2]
FOLDERS = ("graphons", "kernels", "pruning")
COPY = ROOT / "mutants-uncompiled"
COPIED = ("graphon_lib", "tests", "pyproject.toml")

# A decorator, and what has to stand in for what only the compiler knows: (file, what is there, what is put there).
COMPILED = re.compile(r"^@(?:compiled|numba\.njit\(.*\))\n(?=def (\w+))", re.MULTILINE)
STAND_INS = [
    (
        "graphons/masks.py",
        "cast(Callable[[Any], Any], intrinsic(_ones))",
        "lambda word: (int(word) % 2**64).bit_count()",
    ),
    ("kernels/fused.py", "return compiled(through_layers)", "return through_layers"),
    (
        "kernels/fused.py",
        "through_layers = _recursion(hashlib",
        "def through_layers(*arguments):\n    _recursion('')(*arguments)\n\n_ = (hashlib",
    ),
]
# Compiled where it is called, in a function that runs on import: its mutants belong with those of compiled functions.
NESTED = "_recursion"

# In plain Python numpy warns where compiled code does not, and these would take minutes.
SLOW = (
    "digits or images or wide_networks or files or file or memory or tiles or bits or threads or cluster or killed "
    "or forgotten or pruned or larger_masks or unbiased_densities"
)
PLAIN_PYTHON = f"-W ignore::RuntimeWarning -k 'not ({SLOW})'"


def mutants(root: Path, folder: str) -> list[str]:
    """The names of all mutants of a folder, as mutmut gives them."""
    names = []
    for path in sorted((root / "graphon_lib" / folder).glob("*.py")):
        relative = path.relative_to(root)
        made = mutate_file_contents(str(relative), path.read_text()).mutant_names
        names += [get_mutant_name(relative, name).replace("__init__.", "") for name in made]
    return names


def function_of(mutant: str) -> str:
    return re.sub(r".*\.xǁ?(?:\w+ǁ|_)(\w+?)__mutmut_\d+$", r"\1", mutant)


def uncompile() -> set[str]:
    """Make the copy in which no function of the folders is compiled; their names."""
    shutil.rmtree(COPY, ignore_errors=True)
    COPY.mkdir()
    for name in COPIED:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, COPY / name)
    functions = {NESTED}
    for path in (path for folder in FOLDERS for path in (COPY / "graphon_lib" / folder).glob("*.py")):
        source = path.read_text()
        functions.update(COMPILED.findall(source))
        path.write_text(COMPILED.sub("", source))
    for name, there, instead in STAND_INS:
        path = COPY / "graphon_lib" / name
        source = path.read_text()
        assert source.count(there) == 1, f"{name} has changed; adapt STAND_INS"
        path.write_text(source.replace(there, instead))
    return functions


def environment(root: Path, **more: str) -> dict[str, str]:
    # The copy's packages, whatever is installed.
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "book")]), **more}


def verdicts(root: Path, chosen: Iterable[str], addopts: str, processes: int) -> dict[str, str]:
    """What became of each chosen mutant: killed, timeout, survived ..."""
    chosen = list(chosen)
    command = [Path(sys.executable).with_name("mutmut"), "run", "--max-children", str(processes), *chosen]
    subprocess.run(command, cwd=root, env=environment(root, PYTEST_ADDOPTS=addopts), check=True)
    codes: dict[str, int | None] = {}
    for path in (root / "mutants").rglob("*.py.meta"):
        codes |= json.loads(path.read_text())["exit_code_by_key"]
    found = {name: status_by_exit_code[codes[name]] for name in chosen}
    return {name: alone(root, name) if status == "no tests" else status for name, status in found.items()}


def alone(root: Path, mutant: str) -> str:
    """The same in a process of its own, for functions that run on import or in other processes."""
    selection = re.search(r"test_selection = (\[.*?\])", (root / "pyproject.toml").read_text(), re.DOTALL)
    assert selection
    tests = json.loads(re.sub(r",\s*\]", "]", selection[1]))
    with tempfile.TemporaryDirectory() as cache:
        switched_on = environment(root / "mutants", MUTANT_UNDER_TEST=mutant, NUMBA_CACHE_DIR=cache)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        try:
            ended = subprocess.run(command, cwd=root / "mutants", env=switched_on, capture_output=True, timeout=1800)
        except subprocess.TimeoutExpired:
            return "timeout"
    return "killed" if ended.returncode else "survived"


def report(title: str, total: int, found: dict[str, str]) -> None:
    killed = sum(status in {"killed", "timeout", "segfault"} for status in found.values())
    low, high = binomtest(killed, len(found)).proportion_ci(0.95, "wilson")
    print(f"{title:20} {total:6} mutants, {len(found):5} run, {killed:5} killed: {killed / len(found):.1%}", end="")
    print("" if len(found) == total else f" (95 %: {low:.1%} to {high:.1%})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, help="mutants of each folder; default: all")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="how many at a time")
    parser.add_argument("--folder", choices=FOLDERS, help="one folder only")
    parser.add_argument("--compiled", action=argparse.BooleanOptionalAction, help="compiled functions only, or none")
    options = parser.parse_args()

    draw = random.Random(options.seed)
    folders = FOLDERS if options.folder is None else (options.folder,)
    for compiled in (False, True) if options.compiled is None else (options.compiled,):
        root, functions = (COPY, uncompile()) if compiled else (ROOT, {NESTED})
        for folder in folders:
            names = [name for name in mutants(root, folder) if (function_of(name) in functions) == compiled]
            if not names:
                continue
            chosen = names if options.sample is None else draw.sample(names, min(options.sample, len(names)))
            found = verdicts(root, chosen, PLAIN_PYTHON if compiled else "", options.processes)
            for name in sorted(found):
                if found[name] != "killed":
                    print(f"{found[name]:10} {name}")
            report(f"{folder}{', compiled' * compiled}", len(names), found)


if __name__ == "__main__":
    main()
