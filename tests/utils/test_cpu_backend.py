import os
import subprocess
import sys

from mlip_core.utils.allocator import tune_allocator
from mlip_core.utils.cpu_backend import tune_cpu_backend

GENERATOR = "--xla_cpu_use_fusion_emitters"
OPTIONS = "--xla_backend_extra_options"


def test_flags_are_added_to_those_of_the_user(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=false")
    tune_cpu_backend()
    flags = os.environ["XLA_FLAGS"].split()
    assert set(flags) == {
        "--xla_cpu_enable_fast_math=false",
        f"{GENERATOR}=false",
        f"{OPTIONS}=xla_cpu_disable_loop_unrolling",
    }


def test_flags_of_the_user_are_left(monkeypatch):
    own = f"{GENERATOR}=true {OPTIONS}=xla_cpu_optimize_for_size"
    monkeypatch.setenv("XLA_FLAGS", own)
    tune_cpu_backend()
    assert os.environ["XLA_FLAGS"] == own


def test_off_switches(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "")
    monkeypatch.setenv("MLIP_CORE_KEEP_XLA_FLAGS", "1")
    monkeypatch.setenv("MLIP_CORE_KEEP_ALLOCATOR", "1")
    tune_cpu_backend()
    assert os.environ["XLA_FLAGS"] == ""
    assert not tune_allocator()


def test_the_installed_jax_knows_the_flags():
    program = (
        "from mlip_core.utils.cpu_backend import tune_cpu_backend; tune_cpu_backend();"
        "import jax.numpy as jnp; print(int(jnp.arange(4).sum()))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    assert run.stdout == "6\n", run.stderr
