"""What a check of data has found, and what is to be done about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mlip_core.utils.errors import UserError

Action = Literal["error", "warn", "drop", "ignore"]
"""What to do about a finding: end, go on and say so, leave the frames out, or nothing."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with some frames.

    Attributes:
        check: name of the check.
        action: "error", "warn" or "drop".
        message: what is wrong.
        remedy: what to do about it.
        count: how many frames are concerned.
        frames: the first of them, as ``{"file", "index"}``.
    """

    check: str
    action: Action
    message: str
    remedy: str
    count: int
    frames: list[dict[str, Any]]

    def __str__(self) -> str:
        first = self.frames[0] if self.frames else None
        place = f" (first: {first['file']}: frame {first['index']})" if first else ""
        return f"{self.check}: {self.message}{place}; {self.remedy}"


def raise_on_errors(findings: Sequence[Finding]) -> None:
    """Raise a ``UserError`` of one line if there is an error among the findings."""
    errors = [finding for finding in findings if finding.action == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more in the log)" if errors[1:] else ""
        raise UserError(f"{errors[0]}{more}")


def count_frames(count: int) -> str:
    """``1 frame``, ``2 frames``."""
    return f"{count} frame" if count == 1 else f"{count} frames"
