"""Settings of XLA's CPU backend that make training faster, applied at one place."""

import os
from importlib.metadata import version

from mlip_core.utils.allocator import tune_allocator

OFF_SWITCH = "MLIP_CORE_KEEP_XLA_FLAGS"

# XLA's older code generator compiles the many small products of equivariant networks in half the
# time of the newer one, to programs that are faster by a third.
_OLDER_GENERATOR = "--xla_cpu_use_fusion_emitters"
# XLA ends the process on a flag that it does not know, so it is set for versions that have it only.
_FIRST_WITHOUT_OLDER_GENERATOR = (0, 11)
# Unrolled loops take half of LLVM's time and make no step faster.
_EXTRA_OPTIONS = "--xla_backend_extra_options"


def tune_cpu_backend() -> None:
    """Make compilation and steps faster on the CPU; call it before JAX is first used.

    Flags that the user set are left alone.
    """
    tune_allocator()
    if os.environ.get(OFF_SWITCH):
        return
    flags = os.environ.get("XLA_FLAGS", "")
    for name, value in _settings().items():
        if name not in flags:
            flags = f"{flags} {name}={value}"
    os.environ["XLA_FLAGS"] = flags.strip()


def _settings() -> dict[str, str]:
    settings = {_EXTRA_OPTIONS: "xla_cpu_disable_loop_unrolling"}
    jaxlib = tuple(map(int, version("jaxlib").split(".")[:2]))
    if jaxlib < _FIRST_WITHOUT_OLDER_GENERATOR:
        settings[_OLDER_GENERATOR] = "false"
    return settings
