"""Compiled programs that the jobs of a study share, and go on sharing from run to run."""

import os
from pathlib import Path

from mlip_core.study import checksums


def share_compiled_programs(directory: str | None) -> None:
    """Let JAX keep compiled programs in a directory, in this process and those it starts.

    A program is the same whether it was compiled now or comes from the directory, which holds the
    very bytes that the compiler made. A directory that the environment names already is left;
    ``None`` asks for none.
    """
    if directory is None:
        return
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(directory).resolve()))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


def seal_compiled_programs(directory: str | None) -> None:
    """Keep a digest of each program; remove those that are no longer what they were.

    JAX notices a program that is cut off or has a bit changed, and compiles it again, though it
    never replaces it. It runs one that is whole but stands under another's name. Programs that have
    no digest yet get one. A directory that is not there, or may not be written, is left.
    """
    if directory is None or not os.access(directory, os.W_OK):
        return
    for program in sorted(Path(directory).glob("*-cache")):
        seal = checksums.place(program)
        if not seal.exists():
            checksums.record([program])
        elif checksums.is_changed(program):
            program.unlink(missing_ok=True)
            seal.unlink(missing_ok=True)
