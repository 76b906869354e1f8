"""The members' predictions for many structures."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlip_core.committee.statistics import mean_and_spread, require_members
from mlip_core.data.frames import Frame
from mlip_core.inference import iterate_predictions
from mlip_core.models.force_field import ForceField
from mlip_core.models.model_io import load_model


@dataclass(frozen=True)
class CommitteeValues:
    """What the members of a committee say of one structure.

    Attributes:
        energies: ``[n_members]``, eV.
        forces: ``[n_members, n_atoms, 3]``, eV/Å.
    """

    energies: np.ndarray
    forces: np.ndarray

    @property
    def energy(self) -> float:
        """Mean energy, eV."""
        return float(self.energies.mean())

    @property
    def energy_spread(self) -> float:
        """Standard deviation of the energy, eV."""
        return float(mean_and_spread(self.energies)[1])

    @cached_property
    def mean_forces(self) -> np.ndarray:
        """``[n_atoms, 3]``, eV/Å."""
        return mean_and_spread(self.forces)[0]

    @cached_property
    def force_spread(self) -> np.ndarray:
        """``[n_atoms]``, eV/Å: root of the variance of the force vector, summed over components.

        It does not depend on the orientation. The model deviation of Zhang et al., Phys. Rev.
        Materials 3, 023804 (2019), but for n - 1 in the place of n.
        """
        return np.sqrt((mean_and_spread(self.forces)[1] ** 2).sum(axis=1))

    @property
    def max_force_spread(self) -> float:
        """Of the atom on whose force the members agree least, eV/Å."""
        return float(self.force_spread.max())


def load_committee(models: Sequence[str | os.PathLike[str] | ForceField]) -> list[ForceField]:
    """The members of a committee; those that differ in parameters only share their predictor.

    What is compiled for one of these serves all.

    Args:
        models: paths of model zips, or force fields; at least two.

    Raises:
        UserError: if there are fewer than two, or a file is not a model zip.
    """
    require_members(len(models))
    members: list[ForceField] = []
    for model in models:
        member = model if isinstance(model, ForceField) else load_model(model)
        alike = (other for other in members if other.predictor == member.predictor)
        members.append(ForceField(next(alike, member).predictor, member.params))
    return members


def iterate_committee(
    members: Sequence[ForceField], frames: Sequence[Frame], batch_size: int = 32
) -> Iterator[tuple[Frame, CommitteeValues]]:
    """Predict structures by all members, batch by batch.

    Args:
        members: at least two force fields, of :func:`load_committee`.
        frames: the structures.
        batch_size: structures of average size that a compiled model sees at once.

    Yields:
        each frame, in order, with what the members say of it.

    Raises:
        UserError: if there are fewer than two members, or one does not know an element.
    """
    require_members(len(members))
    streams = [iterate_predictions(member, frames, batch_size) for member in members]
    for predictions in zip(*streams, strict=True):
        values = [value for _, value in predictions]
        yield (
            predictions[0][0],
            CommitteeValues(
                energies=np.array([value.energy for value in values]),
                forces=np.array([value.forces for value in values]),
            ),
        )
