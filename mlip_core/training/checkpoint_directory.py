"""Where the checkpoints of one training lie."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlip_core.training.model_checkpoints import ModelCheckpoints
from mlip_core.training.resume_checkpoints import ResumeCheckpoints, ResumePoint
from mlip_core.training.training_io_handler_config import TrainingIOHandlerConfig
from mlip_core.utils.errors import UserError


class CheckpointDirectory:
    """The checkpoints of one training; see ``TrainingIOHandlerConfig`` for what they are for.

    Attributes:
        path: of the directory; it need not exist.
        models: best models.
        resume_points: what the training goes on from.
        branch_points: what longer trainings go on from.
    """

    def __init__(self, path: Path, max_models: int) -> None:
        """Set the directory, and how many best models to keep."""
        self.path = path
        self.models = ModelCheckpoints(path / "model", max_models)
        self.resume_points = ResumeCheckpoints(path / "resume")
        self.branch_points = ResumeCheckpoints(path / "before_cooldown", max_to_keep=1)

    def prepare(self, config: TrainingIOHandlerConfig) -> None:
        """Remove what the training of a config does not go on from.

        Raises:
            UserError: if there are checkpoints and the config does not say what to do with them.
        """
        if config.clear_previous_checkpoints:
            shutil.rmtree(self.models.directory, ignore_errors=True)
            self.forget_points()
        elif config.resume:
            return
        elif config.restore_checkpoint_if_exists:
            # A restored training takes another course than the one these would continue.
            self.forget_points()
        elif self.models.epochs() or self.resume_points.positions():
            raise UserError(
                f"{self.path}: has checkpoints of an earlier training; set resume to continue it, "
                f"clear_previous_checkpoints to remove them, or use another directory"
            )

    def newest_point(
        self, template: dict[str, Any], is_usable: Callable[[dict[str, Any]], bool]
    ) -> ResumePoint | None:
        """The newest to go on from, of both kinds; see ``ResumeCheckpoints.restore``."""
        points = [
            point
            for checkpoints in (self.resume_points, self.branch_points)
            if (point := checkpoints.restore(template, is_usable))
        ]
        return max(points, key=lambda point: point.record["position"]["order"], default=None)

    def forget_after(self, point: ResumePoint) -> None:
        """Remove what lies beyond: it is damaged, or of a shorter training that took other ways."""
        place = point.record["position"]
        if self.resume_points.remove_after(place["order"]):
            self.models.remove_after(place["epoch"])

    def forget_points(self) -> None:
        """Remove all that the training could go on from."""
        self.resume_points.clear()
        self.branch_points.clear()
