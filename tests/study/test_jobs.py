"""Jobs talk into their logs, and say a user's mistake in one line."""

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

START = """
from types import SimpleNamespace
from mlip_core.study.jobs import run_job
job = SimpleNamespace(
    rule="split", input=[{input!r}], output=[{output!r}], log=[{log!r}], threads=1,
    params={{"split": {{"seed": 3}}, "path": {input!r}}}, wildcards={{"dataset": "water"}},
)
with run_job(job):
"""


def run_program(program: str, log: Path) -> subprocess.CompletedProcess[str]:
    paths = {"input": str(log.parent / "input"), "output": str(log.parent / "output")}
    log.parent.mkdir(parents=True, exist_ok=True)
    Path(paths["input"]).write_text("before")
    lines = f"open({paths['output']!r}, 'w').write('after')\n{program}".splitlines()
    start = START.format(log=str(log), **paths)
    return subprocess.run(
        [sys.executable, "-c", start + "".join(f"    {line}\n" for line in lines)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_all_output_is_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "job.log"
    program = "import os, logging\nprint('python')\nos.system('echo shell >&2')\n"
    result = run_program(program + "logging.getLogger('x').warning('logged')", log)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert sorted(log.read_text().split()) == ["WARNING:", "logged", "python", "shell"]


def test_mistake_is_one_line(tmp_path: Path) -> None:
    program = "from mlip_core.utils.errors import UserError\nraise UserError('no forces')"
    result = run_program(program, tmp_path / "log")
    assert result.returncode == 1
    assert (tmp_path / "log").read_text() == "error: datasets.water: no forces\n"


def test_mistake_names_a_file_or_the_part_of_the_study(tmp_path: Path) -> None:
    program = "from mlip_core.utils.errors import UserError\nraise UserError({!r})"
    messages = {
        "split: too few frames": "datasets.water: split: too few frames",
        f"{tmp_path}/input: no forces": f"{tmp_path}/input: no forces",
    }
    for said, shown in messages.items():
        run_program(program.format(said), tmp_path / "log")
        assert (tmp_path / "log").read_text() == f"error: {shown}\n"


def test_defect_has_its_traceback(tmp_path: Path) -> None:
    result = run_program("1 / 0", tmp_path / "log")
    assert result.returncode == 1
    assert "ZeroDivisionError" in (tmp_path / "log").read_text()


def test_what_made_the_files_stands_beside_the_log(tmp_path: Path) -> None:
    run_program("pass", tmp_path / "job.log")
    said = json.loads((tmp_path / "job.json").read_text())
    assert said["inputs"] == {str(tmp_path / "input"): sha256(b"before").hexdigest()}
    assert said["outputs"] == {str(tmp_path / "output"): sha256(b"after").hexdigest()}
    assert (said["rule"], said["wildcards"]) == ("split", {"dataset": "water"})
    assert said["params"]["split"] == {"seed": 3}
    assert said["started"] <= said["finished"]
    assert "numpy" in said["versions"]


def test_job_that_failed_made_nothing(tmp_path: Path) -> None:
    run_program("1 / 0", tmp_path / "job.log")
    assert not (tmp_path / "job.json").exists()
