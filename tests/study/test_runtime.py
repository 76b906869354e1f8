"""What libraries read when they start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = (
    "from pathlib import Path\n"
    "from mlip_core.study.compiled_programs import share_compiled_programs\n"
    "from mlip_core.study.runtime import prepare_jax\n"
    "import sys\n"
    "prepare_jax(int(sys.argv[1]))\n"
    "share_compiled_programs(sys.argv[2])\n"
    "import jax\n"
    "jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)\n"
    "jax.jit(lambda x: x @ x)(jax.numpy.ones((64, 64))).block_until_ready()\n"
    "names = [path.read_text().strip() for path in Path('/proc/self/task').glob('*/comm')]\n"
    "print(names.count('tf_XLAEigen'))\n"
)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads by Linux's /proc")
@pytest.mark.parametrize("threads", ["1", "3"])
def test_xla_has_the_threads_it_is_given_and_keeps_programs(threads: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    environment = {name: v for name, v in os.environ.items() if not name.startswith("JAX_")}
    result = subprocess.run(
        [sys.executable, "-c", COUNT, threads, str(cache)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == threads
    assert list(cache.glob("*lambda*"))
