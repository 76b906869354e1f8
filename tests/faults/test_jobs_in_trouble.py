"""One job and a real full disk, a read-only directory, too little memory, a damaged input."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlip_core.study import checksums
from mlip_core.study.compiled_programs import seal_compiled_programs
from mlip_core.utils.errors import UserError

START = """
import sys
from types import SimpleNamespace
from mlip_core.study.jobs import run_job
from mlip_core.utils.files import write_text
job = SimpleNamespace(
    rule="any", input=["input"], output=["results/output"], log=["results/log"], threads=1,
    params={}, wildcards={},
)
with run_job(job):
"""
FULL = "No space left on device; make room there, and run the same command again\n"
WRITE = "write_text('results/output', 'x' * 2_000_000)"


def run_job(
    directory: Path, body: str = WRITE, setup: Callable[[], None] | None = None
) -> tuple[int, str]:
    """Status of a job, and what it has said in its log and on the terminal."""
    (directory / "input").write_text("input")
    result = subprocess.run(
        [sys.executable, "-c", f"{START}    {body}"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=setup,
    )
    log = directory / "results" / "log"
    return result.returncode, (log.read_text() if log.exists() else "") + result.stderr


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mounts a file system at ``results``."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    path = tmp_path / "results"
    path.mkdir()

    def mount(*options: str) -> Path:
        result = subprocess.run(["mount", *options, str(path)], capture_output=True, check=False)
        if result.returncode != 0:
            pytest.skip("mounting is not permitted here")
        return path

    yield mount
    subprocess.run(["umount", "--lazy", str(path)], capture_output=True, check=False)


def test_full_disk_is_said_in_one_line(tmp_path: Path, mounted: Callable[..., Path]) -> None:
    results = mounted("-t", "tmpfs", "-o", "size=1m", "none")
    status, said = run_job(tmp_path)
    assert (status, said.count("\n")) == (1, 1), said
    assert said == f"error: results/output: {FULL}"
    assert [path.name for path in results.iterdir()] == ["log"]


def test_full_disk_is_said_on_the_terminal_if_the_log_is_full_too(
    tmp_path: Path, mounted: Callable[..., Path]
) -> None:
    results = mounted("-t", "tmpfs", "-o", "size=256k", "none")
    (results / "log").touch()
    subprocess.run(["dd", "if=/dev/zero", f"of={results}/filler"], capture_output=True, check=False)
    for body, file in ((WRITE, "output"), ("print('something')", "log")):
        status, said = run_job(tmp_path, body)
        assert status != 0
        assert (results / "log").read_text() == ""
        assert said.startswith(f"error: results/{file}: {FULL}")


def test_read_only_directory_is_said_in_one_line(
    tmp_path: Path, mounted: Callable[..., Path]
) -> None:
    mounted("-t", "tmpfs", "-o", "ro", "none")
    status, said = run_job(tmp_path)
    assert status == 1
    remedy = "make it accessible, or take another place"
    assert said == f"error: results/log: Read-only file system; {remedy}\n"


def test_programs_in_a_read_only_directory_are_left(mounted: Callable[..., Path]) -> None:
    program = mounted("-t", "tmpfs", "none") / "a-cache"
    program.write_text("program")
    seal_compiled_programs(str(program.parent))
    program.write_text("changed")
    mounted("-o", "remount,ro")
    seal_compiled_programs(str(program.parent))
    assert program.read_text() == "changed"


def limit_of_address_space(mib: int) -> Callable[[], None]:
    """What a process calls to get it."""
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20))


@pytest.mark.parametrize(("mib", "body"), [(200, WRITE), (800, "prepare_jax(1)")])
def test_too_little_address_space_is_said_before_libraries_fail(
    tmp_path: Path, mib: int, body: str
) -> None:
    body = f"from mlip_core.study.runtime import prepare_jax; {body}"
    status, said = run_job(tmp_path, body, limit_of_address_space(mib))
    assert status == 1
    assert said.startswith(f"error: address space: limited to {mib} MiB (ulimit -v), but libraries")
    assert said.count("\n") == 1
    assert not (tmp_path / "results/output").exists()


@pytest.mark.parametrize(
    "error",
    [
        'RuntimeError("can\'t start new thread")',
        "ImportError('libarrow.so.2600: failed to map segment from shared object')",
        "RuntimeError('RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes.')",
    ],
)
def test_libraries_words_for_too_little_memory_are_explained(tmp_path: Path, error: str) -> None:
    status, said = run_job(tmp_path, f"raise {error}")
    assert status == 1
    assert said.startswith("error: out of memory (")
    assert said.endswith("); take smaller batches, or give it more memory\n")


def test_too_little_memory_is_said_in_one_line(tmp_path: Path) -> None:
    body = "write_text('results/output', 'x' * 2_000_000_000)"
    status, said = run_job(tmp_path, body, limit_of_address_space(800))
    assert status == 1
    assert said == (
        "error: out of memory (more was asked for than there is); take smaller batches, or give it"
        " more memory\n"
    )


def test_input_that_is_not_what_was_written_is_refused(tmp_path: Path) -> None:
    assert run_job(tmp_path) == (0, "")
    output = tmp_path / "results/output"
    assert checksums.verify([output]) == checksums.digests([output])
    changed = bytearray(output.read_bytes())
    changed[1000] ^= 1
    output.write_bytes(changed)
    with pytest.raises(UserError, match=r"output: is not what .* has written.*; remove it, and"):
        checksums.verify([output])
    assert run_job(tmp_path) == (0, "")
    checksums.verify([output])


def test_what_no_job_has_made_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.xyz").write_text("a")
    before = checksums.verify([tmp_path / "mine.xyz"])
    (tmp_path / "mine.xyz").write_text("b")
    assert checksums.verify([tmp_path / "mine.xyz"]) != before
    assert checksums.verify([tmp_path]) == {}


def test_nothing_of_the_environment_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abc123secret")
    assert run_job(tmp_path) == (0, "")
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"abc123secret" not in path.read_bytes()


ARRAYS = (
    "from mlip_core.data.versioned_arrays import ArraysFormat;"
    " ArraysFormat('a', 1, 'b', 'c').write('results/a', {}, {'a': np.ones(10**6)})"
)
CHECKPOINT = (
    "from mlip_core.training.orbax_files import save_items;"
    " noise = np.random.default_rng(0).random(10**6);"
    " save_items(Path('results/1').resolve(), {'a': {'b': noise}}, {})"
)
# Writes of the others are still under way when the first one fails.
LARGE_CHECKPOINT = CHECKPOINT.replace("{'b': noise}", "{str(i): noise + i for i in range(24)}")


@pytest.mark.parametrize(
    ("write", "path"),
    [
        (ARRAYS, "results/a"),
        (CHECKPOINT, "{}/results/1"),
        (LARGE_CHECKPOINT, "{}/results/1"),
    ],
)
def test_compiled_libraries_say_it_in_one_line_too(
    tmp_path: Path, mounted: Callable[..., Path], write: str, path: str
) -> None:
    mounted("-t", "tmpfs", "-o", "size=1m", "none")
    status, said = run_job(tmp_path, f"import numpy as np; from pathlib import Path; {write}")
    assert (status, said) == (1, f"error: {path.format(tmp_path)}: {FULL}")


def test_a_checkpoint_without_room_for_its_directories_does_not_keep_the_job(
    tmp_path: Path, mounted: Callable[..., Path]
) -> None:
    """Threads of Orbax wait for them for five minutes."""
    results = mounted("-t", "tmpfs", "-o", "nr_inodes=6", "none")
    (results / "log").touch()
    body = f"import numpy as np; from pathlib import Path; {CHECKPOINT.replace('10**6', '9')}"
    start = time.monotonic()
    status, said = run_job(tmp_path, body)
    assert (status, said) == (1, f"error: {results}/1: {FULL}")
    assert time.monotonic() - start < 60
