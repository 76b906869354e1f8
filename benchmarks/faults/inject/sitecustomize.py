"""Runs at the start of every Python process that has this directory on its path.

In a job of the workflow it does what the plan in the file ``$FAULTS/plan.json`` says of the job's
script: kill the process at a random moment, limit its memory, or let its files appear late. All
else it leaves alone. What it did stands in files beside the plan.
"""

import atexit
import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = ("os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.truncate")


def _main() -> None:
    directory = os.environ.get("FAULTS")
    name = _script()
    if directory is None or name is None:
        return
    plan = json.loads(Path(directory, "plan.json").read_text(encoding="utf-8"))
    if plan.get("measure"):
        _measure(Path(directory), name)
    if name in plan.get("memory_bytes", {}):
        resource.setrlimit(resource.RLIMIT_AS, (plan["memory_bytes"][name],) * 2)
    if name in plan.get("seconds_late", {}):
        _be_late(Path(directory), name, plan["seconds_late"][name])
    if name in plan.get("kills", {}):
        _kill(Path(directory), name, plan)


def _script() -> str | None:
    """``train`` for ``python …/.snakemake/scripts/tmpx1y2.train.py``; ``None`` for no job."""
    for argument in sys.orig_argv[1:]:
        if ".snakemake/scripts/" in argument and argument.endswith(".py"):
            return Path(argument).name.split(".")[-2]
    return None


def _on_changes(act: Any) -> None:
    """Call ``act`` with each change of the file system that Python is about to make below here."""
    here = f"{Path.cwd()}/"

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        is_change = event in _CHANGES or (event == "open" and (arguments[2] or 0) & _WRITING)
        if is_change and isinstance(arguments[0], str | os.PathLike):
            path = str(Path.cwd() / arguments[0])
            if path.startswith(here) and "/.snakemake/" not in path:
                act(event, arguments)

    sys.addaudithook(hook)


def _measure(directory: Path, name: str) -> None:
    start, changes = time.monotonic(), []
    _on_changes(lambda *change: changes.append(change))
    target = directory / f"measured-{name}-{os.getpid()}.json"

    def write() -> None:
        measured = {"changes": len(changes), "seconds": time.monotonic() - start}
        target.write_text(json.dumps(measured))

    atexit.register(write)


def _kill(directory: Path, name: str, plan: dict[str, Any]) -> None:
    """At a random change of the file system or after a random time, if the plan has one left."""
    for number in range(plan["kills"][name]):
        try:
            mark = os.open(directory / f"fired-{name}-{number}", os.O_CREAT | os.O_EXCL | os.O_RDWR)
            break
        except FileExistsError:
            continue
    else:
        return
    rng = random.Random(f"{plan['seed']} {name} {number}")  # noqa: S311
    usual = plan["usual"][name]

    def kill(reason: str) -> None:
        os.write(mark, reason.encode())
        os.kill(os.getpid(), signal.SIGKILL)

    if number % 2:
        timer = threading.Timer(rng.uniform(0, usual["seconds"]), kill, ["at a random time"])
        timer.daemon = True
        timer.start()
        return
    left = [rng.randint(1, max(1, usual["changes"]))]

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        left[0] -= 1
        if left[0] == 0:
            kill(f"before {event} {arguments[0]}")

    _on_changes(count)


def _be_late(directory: Path, name: str, seconds: float) -> None:
    """What the job moves into place appears so many seconds after its end."""
    mark = directory / f"fired-{name}-late"
    moved: list[str] = []

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        target = str(Path.cwd() / arguments[1]) if event == "os.rename" else ""
        if "/results/" in target and not any(part in target for part in ("/logs/", "/.", "/check")):
            moved.append(target)

    _on_changes(note)

    def hide() -> None:
        # A tuple, as what is renamed here is noted, too.
        for path in filter(os.path.isfile, tuple(moved)):
            Path(path).rename(f"{path}.late")
            mark.write_text("files are late")
            silent = subprocess.DEVNULL
            command = ["sh", "-c", 'sleep "$0"; mv "$1.late" "$1"', str(seconds), path]
            subprocess.Popen(
                command, start_new_session=True, close_fds=True, stdout=silent, stderr=silent
            )

    atexit.register(hide)


_main()
