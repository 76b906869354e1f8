"""Settings that hold for all tests: JAX on the CPU, in float32, with a compilation cache; shapes.

JAX reads them when it is first imported, and the programs that tests start inherit them.
"""

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment before any test module imports JAX."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ.pop("JAX_ENABLE_X64", None)
    # Tests compile a lot and run little: five times less time to compile for slower programs.
    os.environ["XLA_FLAGS"] = (
        "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=0"
    )
    if hasattr(config, "cache"):  # switched off by `-p no:cacheprovider`
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(config.cache.mkdir("jax"))
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.5"
    from tests import shapes

    shapes.install()
