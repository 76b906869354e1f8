"""Whose path from files to batches is measured, and what of it."""

from pathlib import Path

from benchmarks.models.participants import HERE, Participant


class DataParticipant(Participant):
    """A library whose readers and datasets are measured, not its models."""

    @property
    def runner(self) -> Path:
        """The program that speaks for it."""
        return HERE / "data" / "runner.py"


OURS = DataParticipant("mlip-core", "ours", frozenset(), "mlip_core")
PEER = DataParticipant("mlip 0.1.10", "mlip01", frozenset(), "mlip")
TASKS = {"prepare": "file to batches", "assemble": "batches alone"}
