"""Run all mutants, or a random sample of each folder's, and print the share that tests kill."""

from __future__ import annotations

import argparse
import ast
import difflib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.utils.format_utils import get_mutant_name
from scipy.stats import binomtest

ROOT = Path(__file__).parents[2]
COPIED = ("graphon_lib", "tests", "notebooks/results", "pyproject.toml")

# The files of tests of each folder that are fast; comparisons of many networks kill no mutant that these leave.
TESTS = {
    "graphons": ("graphons", "graphon_edges", "shuffle", "two_layers", "convolutions", "messages"),
    "kernels": (
        "kernels", "kernel_edges", "kernel_fused", "kernel_reduction", "kernel_tiles", "second_moment",
        "limits_studies", "messages",
    ),
    "pruning": ("pruning", "pruning_edges", "schemes", "phew", "force", "trained", "convolutions", "messages"),
}  # fmt: skip
# They start processes, or threads that a fork leaves behind: for mutants that nothing else reaches.
STARTING = [
    f"--deselect=tests/test_{name}"
    for name in (
        "kernel_tiles.py::test_a_cluster_gives_the_same_bits",
        "kernel_tiles.py::test_a_killed_worker_costs_its_tiles_only",
        "kernel_tiles.py::test_a_killed_process_loses_the_tiles_in_work_only",
        "kernel_tiles.py::test_memory_beyond_the_result_stays_small",
        "pruning.py::test_threads_do_not_matter",
    )
]

# Decorators that compile, and what has to stand in for what only the compiler knows: file, what is there, what is put.
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
# Compiled by a function that runs on import: its mutants belong with those of compiled functions.
NESTED = "_recursion"

# Seconds for all tests of a folder, in a process that has to compile first.
ALONE = 1800

# In plain Python numpy warns where compiled code does not, and these would take minutes.
SLOW = "digits or wide_networks or pruned or larger_masks or forgotten or preferred or images"
PLAIN_PYTHON = ["-W", "ignore::RuntimeWarning", "-k", f"not ({SLOW})"]


def function_of(mutant: str) -> str:
    return re.sub(r".*\.x(?:ǁ\w+ǁ|_)(\w+?)__mutmut_\d+$", r"\1", mutant)


def write_mutants(copy: Path, folder: str, plain: bool) -> list[str]:
    """Copy the repository, with all mutants of a folder in it; their names."""
    for name in COPIED:
        source = ROOT / name
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    if plain:
        for name, there, instead in STAND_INS:
            path = copy / "graphon_lib" / name
            text = path.read_text()
            if text.count(there) != 1:
                raise SystemExit(f"graphon_lib/{name} no longer has {there!r}: adapt STAND_INS in tests/mutation")
            path.write_text(text.replace(there, instead))
    compiled, names = {NESTED}, []
    for path in sorted((copy / "graphon_lib").glob("*/*.py")):
        text, relative = path.read_text(), path.relative_to(copy)
        if plain and path.parent.name in TESTS:
            compiled.update(COMPILED.findall(text))
            text = COMPILED.sub("", text)
        if path.parent.name == folder:
            written = mutate_file_contents(str(relative), text)
            text = written.code
            names += [get_mutant_name(relative, name) for name in written.mutant_names]
        path.write_text(text)
    return [name for name in names if (function_of(name) in compiled) == plain]


def pytest_in(copy: Path, *arguments: str, timeout: float | None = None, **variables: str) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", *arguments]
    paths = os.pathsep.join([str(copy), str(ROOT / "tests"), str(ROOT / "book")])
    environment = {**os.environ, "PYTHONPATH": paths, **variables}
    try:
        return subprocess.run(command, cwd=copy, env=environment, timeout=timeout).returncode
    except subprocess.TimeoutExpired:
        return 1


def verdicts(copy: Path, chosen: list[str], tests: list[str], arguments: list[str], processes: int) -> dict[str, str]:
    """What became of each chosen mutant."""
    orders, found = copy / "orders.json", copy / "found.json"
    orders.write_text(json.dumps({"mutants": chosen, "found": str(found), "processes": processes}))
    ended = pytest_in(copy, "-p", "mutation.killing", *arguments, *STARTING, *tests, MUTATION_ORDERS=str(orders))
    if ended or not found.exists():
        raise SystemExit("the tests do not pass without a mutant")
    told = json.loads(found.read_text())
    result: dict[str, str] = told["verdicts"]
    left_out = [f"--deselect={test}" for test in told["left_out"]]
    for name in [name for name, verdict in result.items() if verdict in {"no tests", "stuck"}]:
        with tempfile.TemporaryDirectory() as cache:
            switched_on = {"MUTANT_UNDER_TEST": name, "NUMBA_CACHE_DIR": cache}
            failed = pytest_in(copy, "-x", *arguments, *left_out, *tests, timeout=ALONE, **switched_on)
        result[name] = "killed" if failed else "survived"
    return result


def changed(copy: Path, mutant: str) -> str:
    """The lines that a mutant takes away and puts in their place."""
    module, _, name = mutant.rpartition(".")
    path = copy / module.replace(".", "/")
    text = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
    bodies = {
        node.name: [line.strip() for line in ast.unparse(node).splitlines()[1:]]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.name in (name, re.sub(r"\d+$", "orig", name))
    }
    lines = difflib.unified_diff(bodies[re.sub(r"\d+$", "orig", name)], bodies[name], n=0)
    return "\n".join(f"    {line}" for line in lines if not line.startswith(("---", "+++", "@@")))


def report(title: str, copy: Path, total: int, found: dict[str, str]) -> None:
    for name in sorted(found):
        if found[name] != "killed":
            print(f"{found[name]:10} {name}\n{changed(copy, name)}")
    killed = sum(verdict != "survived" for verdict in found.values())
    low, high = binomtest(killed, len(found)).proportion_ci(0.95, "wilson")
    print(f"{title}: {total} mutants, {len(found)} run, {killed} killed: {killed / len(found):.1%}", end="")
    print("" if len(found) == total else f" (95 %: {low:.1%} to {high:.1%})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m mutation", description=__doc__)
    parser.add_argument("--sample", type=int, help="mutants of a folder, and of its compiled functions; default: all")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="how many at a time")
    parser.add_argument("--folder", action="append", choices=sorted(TESTS), help="this folder only; may be repeated")
    parser.add_argument("--compiled", action=argparse.BooleanOptionalAction, help="compiled functions only, or none")
    options = parser.parse_args()

    for folder in options.folder or TESTS:
        tests = [f"tests/test_{name}.py" for name in TESTS[folder]]
        for plain in (False, True) if options.compiled is None else (options.compiled,):
            with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
                copy = Path(temporary)
                names = write_mutants(copy, folder, plain)
                chosen = random.Random(options.seed).sample(names, min(options.sample or len(names), len(names)))
                found = verdicts(copy, chosen, tests, PLAIN_PYTHON if plain else [], options.processes)
                report(f"{folder}{', compiled' * plain}", copy, len(names), found)


if __name__ == "__main__":
    main()
