import os
import subprocess
import sys

from mlip_core.utils.allocator import tune_allocator
from mlip_core.utils.cpu_backend import tune_cpu_backend

FLAG = "--xla_cpu_use_fusion_emitters"


def test_flag_is_added_to_those_of_the_user(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=false")
    tune_cpu_backend()
    assert os.environ["XLA_FLAGS"] == f"--xla_cpu_enable_fast_math=false {FLAG}=false"


def test_flag_of_the_user_is_left(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", f"{FLAG}=true")
    tune_cpu_backend()
    assert os.environ["XLA_FLAGS"] == f"{FLAG}=true"


def test_off_switches(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "")
    monkeypatch.setenv("MLIP_CORE_KEEP_XLA_FLAGS", "1")
    monkeypatch.setenv("MLIP_CORE_KEEP_ALLOCATOR", "1")
    tune_cpu_backend()
    assert os.environ["XLA_FLAGS"] == ""
    assert not tune_allocator()


def test_the_installed_jax_knows_the_flag():
    program = (
        "from mlip_core.utils.cpu_backend import tune_cpu_backend; tune_cpu_backend();"
        "import jax.numpy as jnp; print(int(jnp.arange(4).sum()))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    assert run.stdout == "6\n", run.stderr
