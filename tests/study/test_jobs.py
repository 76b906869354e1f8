"""Jobs talk into their logs, and say a user's mistake in one line."""

import subprocess
import sys
from pathlib import Path


def run_program(program: str, log: Path) -> subprocess.CompletedProcess[str]:
    start = f"from mlip_core.study.jobs import run_job\nwith run_job({str(log)!r}):\n"
    lines = "".join(f"    {line}\n" for line in program.splitlines())
    return subprocess.run(
        [sys.executable, "-c", start + lines], capture_output=True, text=True, check=False
    )


def test_all_output_is_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "job.log"
    program = "import os, logging\nprint('python')\nos.system('echo shell >&2')\n"
    result = run_program(program + "logging.getLogger('x').warning('logged')", log)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert sorted(log.read_text().split()) == ["WARNING:", "logged", "python", "shell"]


def test_mistake_is_one_line(tmp_path: Path) -> None:
    program = "from mlip_core.utils.errors import UserError\nraise UserError('a.xyz: no forces')"
    result = run_program(program, tmp_path / "log")
    assert result.returncode == 1
    assert (tmp_path / "log").read_text() == "error: a.xyz: no forces\n"


def test_defect_has_its_traceback(tmp_path: Path) -> None:
    result = run_program("1 / 0", tmp_path / "log")
    assert result.returncode == 1
    assert "ZeroDivisionError" in (tmp_path / "log").read_text()
