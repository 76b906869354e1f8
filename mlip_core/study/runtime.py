"""What libraries read from the environment when they start: set it before they are imported."""

import os
import sys
from pathlib import Path

from mlip_core.utils.cpu_backend import tune_cpu_backend

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def share_compiled_programs(directory: str) -> None:
    """Let JAX keep compiled programs in a directory, in this process and those it starts.

    A program is the same whether it was compiled now or comes from the directory, which holds the
    very bytes that the compiler made. A directory that the environment names already is left.
    """
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(directory).resolve()))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


def prepare_jax(num_threads: int) -> None:
    """Tune XLA's CPU backend and fix its number of threads, and that of the libraries under it.

    Raises:
        RuntimeError: if JAX is already imported: it might have sized its pools.
    """
    if "jax" in sys.modules:
        raise RuntimeError("the number of threads must be set before JAX is imported")
    # XLA sizes its pools by NPROC where it is set, else by the CPUs of the machine.
    for variable in ("NPROC", *_THREAD_VARIABLES):
        os.environ[variable] = str(num_threads)
    tune_cpu_backend()


def set_one_thread_for_calculators() -> None:
    """One thread for a calculator, before it is imported.

    Several make a small molecule slower and its last digits random.
    """
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = "1"
