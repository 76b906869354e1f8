"""How many threads this process may use for work of its own."""

import os


def available_threads() -> int:
    """What ``OMP_NUM_THREADS`` says, as workflows set it for each job; else the CPUs we may use."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdecimal() and int(said) > 0:
        return int(said)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
