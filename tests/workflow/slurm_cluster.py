"""A real Slurm on this machine: munge, controller and one node with pretended GPUs.

It needs root and Debian's packages ``slurm-wlm`` and ``munge``. Everything lies in one directory,
but for the link ``/etc/slurm/slurm.conf``: Snakemake's job steps look only there.
"""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LINK = Path("/etc/slurm/slurm.conf")
_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")
_SECONDS_TO_START = 30.0

_CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=26817
SlurmdPort=26818
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket
SlurmUser=root
SlurmdUser=root
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.log
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
SlurmdParameters=config_overrides
DefMemPerCPU=500
MinJobAge=3600
KillWait=30
OverTimeLimit=0
SlurmdTimeout=30
ReturnToService=2
JobRequeue=0
SchedulerParameters=bf_interval=5,sched_interval=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory_mb} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE DefaultTime=60 State=UP
"""


def why_not() -> str | None:
    """What is missing for a cluster here; ``None`` if nothing is."""
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"no {', '.join(missing)}: install slurm-wlm and munge"
    if os.getuid() != 0:
        return "the node's daemon has to run as root"
    if _LINK.exists():
        return f"{_LINK}: this machine has a cluster already"
    return None


@contextmanager
def slurm_cluster(home: Path, cpus: int = 4, gpus: int = 2) -> Iterator[None]:
    """Run a cluster of one node while the block runs.

    Args:
        home: an empty directory for its files.
        cpus: how many it pretends to have.
        gpus: how many it hands out; the devices are copies of ``/dev/null``.
    """
    _write_files(home, cpus, gpus)
    _LINK.parent.mkdir(exist_ok=True)
    _LINK.symlink_to(home / "slurm.conf")
    munged = _start("munged", "--foreground", f"--socket={home}/munge.socket", *_munge_files(home))
    daemons = [munged]
    try:
        _wait("munge", ["munge", "-n", "-S", f"{home}/munge.socket"])
        daemons.append(_start("slurmctld", "-D", "-f", f"{home}/slurm.conf"))
        _wait("the controller", ["scontrol", "show", "node", _host()])
        daemons.append(_start("slurmd", "-D", "-f", f"{home}/slurm.conf"))
        _wait("the node", ["srun", "--ntasks=1", "true"])
        yield
    finally:
        subprocess.run(["scancel", "--full", "--user=root"], check=False)
        for daemon in reversed(daemons):
            _stop(daemon)
        _LINK.unlink()


def _host() -> str:
    return socket.gethostname().split(".")[0]


def _write_files(home: Path, cpus: int, gpus: int) -> None:
    for name in ("state", "spool", "gpu"):
        (home / name).mkdir()
    home.chmod(0o755)
    key = home / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(1024))
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 - 1024
    values = {"host": _host(), "home": home, "cpus": cpus, "memory_mb": memory_mb, "gpus": gpus}
    (home / "slurm.conf").write_text(_CONFIGURATION.format(**values))
    # Slurm numbers the GPUs by the digits at the end of their devices' names.
    for number in range(gpus):
        subprocess.run(["mknod", f"{home}/gpu/{number}", "c", "1", "3"], check=True)
    files = f"{home}/gpu/[0-{gpus - 1}]"
    (home / "gres.conf").write_text(f"NodeName={_host()} Name=gpu File={files}\n")


def _munge_files(home: Path) -> list[str]:
    files = {"key-file": "munge.key", "pid-file": "munged.pid", "log-file": "munged.log"}
    return [f"--{option}={home / name}" for option, name in {**files, "seed-file": "seed"}.items()]


def _start(*command: str) -> subprocess.Popen[bytes]:
    silent = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=silent, stdout=silent, stderr=silent)


def _wait(what: str, command: list[str]) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while not _succeeds(command):
        assert time.monotonic() < deadline, f"{what} did not start"
        time.sleep(0.2)


def _succeeds(command: list[str]) -> bool:
    try:
        result = subprocess.run(command, capture_output=True, check=False, timeout=10)
    except subprocess.TimeoutExpired:
        return False
    return result.returncode == 0


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(timeout=10)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
