"""Jobs that compute nothing with JAX do not wait for it."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "workflow/scripts"
WITHOUT_JAX = (
    "best",
    "check",
    "dataset_info",
    "download",
    "reference",
    "reference_part",
    "select_best",
    "shard",
    "split",
)


def imports(script: Path) -> list[str]:
    """The statements by which a script imports, in their order."""
    nodes = ast.walk(ast.parse(script.read_text()))
    return [ast.unparse(node) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]


@pytest.mark.parametrize("script", WITHOUT_JAX)
def test_script_does_not_import_jax(script: str) -> None:
    program = [
        "import sys, time, json",
        "start = time.process_time()",
        *imports(SCRIPTS / f"{script}.py"),
        "print(json.dumps(['jax' in sys.modules, time.process_time() - start]))",
    ]
    result = subprocess.run(
        [sys.executable, "-c", "\n".join(program)], capture_output=True, text=True, check=True
    )
    has_jax, seconds = json.loads(result.stdout)
    assert not has_jax
    assert seconds < 1.5
