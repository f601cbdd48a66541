"""Whatever a public function is handed, it gives a right answer or says in a sentence which argument is wrong."""

from __future__ import annotations

import functools
import inspect
import re
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from corrupted import SAME, Wrong, corrupted
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from public_calls import CALLS, Call, numbers_in

from graphon_lib import arguments

# Far more than any of these calls takes on a busy machine.
SECONDS = 20

# Of a machine on which a number of 10^9 for a size cannot be, whatever machine this is.
MEMORY = 8 * 2**30


CHEAP = [call for call in CALLS if not call.costly]


@pytest.fixture(autouse=True)
def _memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arguments, "memory", lambda: MEMORY)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise AssertionError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def answer(call: Call, **changed: Any) -> list[np.ndarray] | ValueError | TypeError | FloatingPointError:
    """What the call comes to, or the error that it raises if that is a clear one; other errors go on."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", UserWarning)  # the library's own
            return list(numbers_in(call.function(**call.arguments() | changed)))
    except (ValueError, TypeError, FloatingPointError) as error:
        if not any(re.search(rf"\b{name}\b", str(error)) for name in (*changed, *call.also)):
            raise
        return error


@functools.cache
def right(name: str) -> list[np.ndarray]:
    """What the valid call comes to. Not limited in time: the first of its kind compiles and imports."""
    found = answer(next(call for call in CALLS if call.name == name))
    assert isinstance(found, list)
    assert found
    return found


def broken(call: Call, argument: str, wrong: Wrong) -> str | None:
    """How the call breaks its contract, if it does."""
    expected: Any = right(call.name)
    try:
        with limited(SECONDS):
            found = answer(call, **{argument: wrong.value})
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if isinstance(found, Exception):
        return None
    default = inspect.signature(call.function).parameters[argument].default
    if wrong.refused and not (wrong.value is None and default is None):
        return "was taken"
    if not call.unbounded and not all(np.isfinite(array).all() for array in found):
        return "gave what is not finite"
    if wrong.means is None:
        return None
    if wrong.means is not SAME:
        expected = answer(call, **{argument: wrong.means})
    alike = isinstance(expected, Exception) or (
        len(found) == len(expected)
        and all(a.shape == b.shape and np.allclose(a, b, rtol=1e-5, atol=1e-6, equal_nan=True)
                for a, b in zip(found, expected, strict=True))
    )  # fmt: skip
    return None if alike else "gave something else"


@pytest.mark.parametrize("call", CHEAP, ids=str)
def test_a_wrong_argument_is_refused_by_name_and_an_odd_one_taken_for_what_it_means(call: Call) -> None:
    problems = [
        f"{call}({argument}={wrong.what}): {problem}"
        for argument, value in call.arguments().items()
        for wrong in corrupted(value)
        if (problem := broken(call, argument, wrong)) is not None
    ]
    assert not problems, "\n".join(problems)


def of_any_kind() -> st.SearchStrategy[np.ndarray]:
    kinds = st.one_of(arrays.scalar_dtypes(), st.just(np.dtype(object)))
    return kinds.flatmap(
        lambda kind: (
            arrays.arrays(kind, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=7))
            if kind.kind != "O"
            else arrays.arrays(
                kind, arrays.array_shapes(max_side=4), elements=st.none() | st.floats() | st.text(max_size=2)
            )
        )
    )


@pytest.mark.parametrize("call", CHEAP, ids=str)
@settings(max_examples=15)
@given(values=of_any_kind())
def test_arrays_of_any_shape_type_and_content(call: Call, values: np.ndarray) -> None:
    clean = call.arguments()
    for argument in clean:
        if isinstance(clean[argument], np.ndarray):
            assert broken(call, argument, Wrong("any", values)) is None
