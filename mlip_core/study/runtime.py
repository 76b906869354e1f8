"""What libraries read from the environment when they start: set it before they are imported."""

import os
import resource
import sys

from mlip_core.utils.cpu_backend import tune_cpu_backend
from mlip_core.utils.errors import UserError

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

# Below these, libraries end or hang while they are loaded, compile or start threads, in ways that
# no one can act on: a check of a small dataset takes 0.25 GiB, training one on two threads 0.9.
MIN_ADDRESS_SPACE = 512 << 20
MIN_ADDRESS_SPACE_OF_JAX = 2 << 30


def require_address_space(minimum: int = MIN_ADDRESS_SPACE) -> None:
    """Make sure that this process may map so many bytes, whether or not it will fill them.

    Some batch systems limit the address space in place of the memory.

    Raises:
        UserError: if it may not.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < minimum:
        raise UserError(
            f"address space: limited to {limit >> 20} MiB (ulimit -v), but libraries of this job"
            f" map {minimum >> 20} MiB, most of it never filled; raise that limit, or limit the"
            " resident memory instead"
        )


def prepare_jax(num_threads: int) -> None:
    """Tune XLA's CPU backend and fix its number of threads, and that of the libraries under it.

    Raises:
        RuntimeError: if JAX is already imported: it might have sized its pools.
        UserError: if the address space is limited to less than JAX takes.
    """
    if "jax" in sys.modules:
        raise RuntimeError("the number of threads must be set before JAX is imported")
    require_address_space(MIN_ADDRESS_SPACE_OF_JAX)
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
