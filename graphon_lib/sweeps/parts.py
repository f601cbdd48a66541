"""Parquet files that are whole or not there: written under another name, forced to the disk, renamed, under a lock.

A part is called ``part-<digest>.parquet`` after the SHA-256 of its bytes, so that a torn or altered one is found out,
and one written twice is one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

P = ParamSpec("P")
T = TypeVar("T")

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class StoreError(RuntimeError):
    """A store cannot be read or added to; the message says what to do."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only one who writes into ``folder``, which is made if need be; what a killed writer left is removed.

    Raises
    ------
    StoreError
        If the disk is full or the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for temporary in folder.rglob(".*.tmp"):
                temporary.unlink()
            yield
    except OSError as error:
        remedy = "free some space" if error.errno in _FULL else "make it a folder that you may write to"
        raise StoreError(
            f"cannot write to {folder}: {error.strerror}; nothing that is stored there is lost: {remedy}, then run the "
            "same command again"
        ) from error


def replace(path: Path, content: Any) -> None:
    """Put ``content`` (bytes) at ``path`` at once and for good."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(folder: Path) -> None:
    """Force a folder's names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def parts_in(folder: Path) -> set[Path]:
    return set(folder.glob("part-*.parquet"))


def write_part(folder: Path, table: pa.Table, **options: Any) -> Path:
    """Store a table as a part of ``folder``, with ``options`` of ``pyarrow.parquet.write_table``; returns its path."""
    folder.mkdir(exist_ok=True)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True, **options)
    content = sink.getvalue()
    path = folder / f"part-{_digest(content)}.parquet"
    replace(path, content)
    return path


def read_part(path: Path) -> pa.Table:
    """A whole part, its bytes checked.

    Raises
    ------
    StoreError
        If the file is not what was written under its name.
    FileNotFoundError
        If it is gone: somebody has compacted the store.
    """
    content = path.read_bytes()
    if path.name != f"part-{_digest(content)}.parquet":
        raise _broken(path, "its bytes are not those that were written under this name")
    return reading(path, pq.read_table, pa.BufferReader(content))


def reading(path: Path, read: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """The result of ``read(*arguments, **options)``, which reads ``path``.

    Raises
    ------
    StoreError
        If what is read is no Parquet file, or pages do not match their checksums.
    """
    try:
        return read(*arguments, **options)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, KeyError) as error:
        raise _broken(path, " ".join(str(error).split())) from error


def _broken(path: Path, reason: str) -> StoreError:
    return StoreError(
        f"{path} is torn, altered or foreign ({reason}); delete it and run the same sweep again: "
        "only what it held is computed again"
    )


def _digest(content: Any) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
