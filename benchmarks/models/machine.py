"""The machine: what it is, and the most it does."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.models.worker import REALTIME_PRIORITY

# From the caches of a core to main memory: floats in each of three arrays.
ARRAY_SIZES = tuple(2**exponent for exponent in (15, 17, 19, 21, 24))
REPETITIONS = 7
MATRIX_SIZE = 1024


@dataclass(frozen=True)
class Peaks:
    """The most that was measured.

    Attributes:
        flops: operations a second of a large float32 matrix product by XLA.
        cached_bytes: bytes a second read and written by a sum of two arrays that fit into caches.
        memory_bytes: the same from and to main memory.
    """

    flops: float
    cached_bytes: float
    memory_bytes: float

    def floor_seconds(self, flops: float, bytes_accessed: float) -> float:
        """The least time for so many operations and bytes, both at once and bytes from caches."""
        return max(flops / self.flops, bytes_accessed / self.cached_bytes)


def measure_peaks(threads: int, realtime: bool) -> Peaks:
    """Measure for some seconds.

    Args:
        threads: how many to use.
        realtime: whether to go before other processes meanwhile.
    """
    with _realtime() if realtime else nullcontext():
        rates = [_bytes_per_second(size, threads) for size in ARRAY_SIZES]
        return Peaks(_flops_per_second(threads), max(rates), rates[-1])


def describe() -> dict[str, str]:
    """Processor, cores, memory and system; nothing that names the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


@contextmanager
def _realtime() -> Iterator[None]:
    """Threads and processes that are started meanwhile inherit the priority."""
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(REALTIME_PRIORITY))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _processor() -> str:
    """Model and family of the processor, as Linux tells; what Python knows elsewhere."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return platform.processor()
    lines = (line.partition(":") for line in cpuinfo.read_text().splitlines())
    facts = {key.strip(): value.strip() for key, _, value in lines}
    vectors = "AVX-512" if "avx512f" in facts.get("flags", "") else "no AVX-512"
    return (
        f"{facts['model name']} (family {facts['cpu family']}, model {facts['model']}, {vectors})"
    )


def _flops_per_second(threads: int) -> float:
    command = [sys.executable, "-m", "benchmarks.models.matrix_product"]
    environment = os.environ | {"NPROC": str(threads)}
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return 2 * MATRIX_SIZE**3 / float(output.stdout)


def _bytes_per_second(size: int, threads: int) -> float:
    """Rate of ``a + b`` into ``c`` by all threads at once; NumPy frees the interpreter's lock."""
    repeats = max(2, 2**25 // size)
    jobs = [_summation(size, repeats) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        seconds = min(_run_together(pool, jobs) for _ in range(REPETITIONS))
    return threads * repeats * 3 * 4 * size / seconds


def _summation(size: int, repeats: int) -> Callable[[], None]:
    first, second, total = (np.ones(size, np.float32) for _ in range(3))

    def job() -> None:
        for _ in range(repeats):
            np.add(first, second, out=total)

    return job


def _run_together(pool: ThreadPoolExecutor, jobs: list[Callable[[], None]]) -> float:
    start = time.perf_counter()
    for future in [pool.submit(job) for job in jobs]:
        future.result()
    return time.perf_counter() - start
