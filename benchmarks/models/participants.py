"""Who takes part: this project and its peers, each in an environment of its own."""

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
ENVIRONMENTS = HERE / ".envs"
ALL = frozenset({"mace", "nequip", "visnet"})
COMPILED = "compile"


@dataclass(frozen=True)
class Participant:
    """A library, or one way to run it.

    Attributes:
        name: as tables show it.
        peer: directory of its runner and requirements under ``peers``.
        architectures: what it has.
        variant: passed on to the runner.
    """

    name: str
    peer: str
    architectures: frozenset[str]
    variant: str = "default"

    @property
    def runner(self) -> Path:
        """The program that speaks for it."""
        return HERE / "peers" / self.peer / "runner.py"


OURS = Participant("mlip-core", "ours", ALL)
PEERS = (
    Participant("mlip 0.1.10", "mlip01", ALL),
    Participant("mlip 0.2.5", "mlip02", ALL),
    Participant("mace-torch 0.3.16", "mace_torch", frozenset({"mace"}), "eager"),
    Participant("mace-torch 0.3.16, compiled", "mace_torch", frozenset({"mace"}), COMPILED),
    Participant("nequip 0.19.1", "nequip", frozenset({"nequip"}), "eager"),
    Participant("nequip 0.19.1, compiled", "nequip", frozenset({"nequip"}), COMPILED),
)
ENVIRONMENT_NAMES = tuple(dict.fromkeys(participant.peer for participant in PEERS))


def python_of(participant: Participant, environments: dict[str, Path]) -> Path:
    """The interpreter of a participant.

    Args:
        participant: whose.
        environments: directories of environments to use instead of those made here, by peer.

    Raises:
        FileNotFoundError: if there is no such environment.
    """
    if participant == OURS:
        return Path(sys.executable)
    directory = environments.get(participant.peer, ENVIRONMENTS / participant.peer)
    python = directory / "bin" / "python"
    if not python.exists():
        raise FileNotFoundError(f"no environment of {participant.peer}: make -C benchmarks env")
    return python


def create_environment(peer: str) -> None:
    """Install what a peer's requirements pin, into an environment of its own."""
    directory = ENVIRONMENTS / peer
    requirements = HERE / "peers" / peer / "requirements.txt"
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(directory)], check=True)
    pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--requirement", str(requirements)], check=True)


def main() -> None:
    """Make the environments that are named, by default all."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("peers", nargs="*", metavar="PEER", help=", ".join(ENVIRONMENT_NAMES))
    peers = parser.parse_args().peers or ENVIRONMENT_NAMES
    if unknown := set(peers) - set(ENVIRONMENT_NAMES):
        parser.error(f"no such peers: {', '.join(sorted(unknown))}")
    for peer in peers:
        create_environment(peer)


if __name__ == "__main__":
    main()
