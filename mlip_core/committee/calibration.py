"""Does the spread of a committee tell its error?

The errors are taken to be normally distributed with a standard deviation that is the spread times
one factor, the same for all (Imbalzano et al., J. Chem. Phys. 154, 074102, 2021).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm, spearmanr

from mlip_core.committee.config import CalibrationConfig
from mlip_core.committee.predictions import iterate_committee
from mlip_core.data.frames import Frame
from mlip_core.models.force_field import ForceField
from mlip_core.physics.result import CheckResult, Plot, Quantity
from mlip_core.utils.errors import UserError

COVERAGES = (0.5, 0.683, 0.9, 0.954, 0.99)
"""Probabilities of the intervals whose coverage is reported."""

_SMALLEST_SPREAD = 1e-8  # below the resolution of float32; no spread at all would be no scale


@dataclass(frozen=True)
class Spreads:
    """Spreads and the errors that go with them, one for each value.

    Attributes:
        spread: ``[n]``, positive, standard deviation over the members.
        error: ``[n]``, mean of the members minus reference, same unit.
    """

    spread: np.ndarray
    error: np.ndarray

    def scale(self) -> float:
        """The factor on the spread with which the errors are most likely.

        The maximum of the likelihood of errors from normal distributions of standard deviations
        ``scale * spread``: the root of the mean of ``(error / spread)**2``.
        """
        return float(np.sqrt(np.mean((self.error / self.spread) ** 2)))

    def coverage(self, scale: float, probability: float) -> float:
        """Share of errors within the central interval of this probability."""
        width = norm.ppf(0.5 + probability / 2)
        return float(np.mean(np.abs(self.error) <= width * scale * self.spread))

    def rank_correlation(self) -> float:
        """Spearman's, of the spread and the size of the error; NaN if one is always the same."""
        return float(spearmanr(self.spread, np.abs(self.error)).statistic)

    def bins(self, n_bins: int, scale: float) -> pd.DataFrame:
        """Roots of the mean squares of spread and error in bins of equally many values."""
        parts = np.array_split(np.argsort(self.spread, kind="stable"), min(n_bins, len(self.error)))
        spread = np.array([_rms(self.spread[part]) for part in parts])
        return pd.DataFrame(
            {
                "bin": np.arange(1, len(parts) + 1),
                "values": [len(part) for part in parts],
                "spread": spread,
                "scaled_spread": scale * spread,
                "rms_error": [_rms(self.error[part]) for part in parts],
            }
        )


def calibrate(
    members: Sequence[ForceField],
    validation: Sequence[Frame],
    test: Sequence[Frame],
    config: CalibrationConfig | None = None,
    batch_size: int = 32,
) -> CheckResult:
    """Scale the spread of a committee by one set of structures, and judge it by another.

    Forces are compared component by component with a spread that is the same for the three of an
    atom; energies are those per atom.

    Args:
        members: the committee.
        validation: labelled structures by which the factors are chosen.
        test: labelled structures that tell how good they are.
        config: the number of bins.
        batch_size: structures of average size that a compiled model sees at once.

    Raises:
        UserError: if one of the sets has no labels, or there are fewer than two members.
    """
    config = config or CalibrationConfig()
    known = collect_spreads(members, validation, batch_size)
    unseen = collect_spreads(members, test, batch_size)
    if not known or known.keys() != unseen.keys():
        raise UserError(
            "calibration: validation and test set need the same labels, energies or forces; give"
            " both splits frames that have them"
        )
    quantities: list[Quantity] = []
    tables = []
    for name in unseen:
        scale = known[name].scale()
        quantities += _quantities(name, unseen[name], scale)
        tables.append(unseen[name].bins(config.n_bins, scale).assign(quantity=name))
    return CheckResult(
        quantities=quantities,
        table=pd.concat(tables, ignore_index=True),
        plots=[
            Plot(
                title="Error against scaled spread",
                x="scaled_spread",
                y=["rms_error"],
                group="quantity",
                x_label="spread times factor (eV/Å, eV/atom)",
                y_label="root mean square error",
            )
        ],
        note="Factors are chosen on the validation set; everything else is measured on the test"
        " set. Intervals of a well calibrated spread hold the share of the errors that they"
        " promise, and errors equal the scaled spread in every bin.",
    )


def collect_spreads(
    members: Sequence[ForceField], frames: Sequence[Frame], batch_size: int = 32
) -> dict[str, Spreads]:
    """Spreads and errors of ``forces`` (eV/Å) and ``energy`` (eV/atom), where there are labels."""
    pairs: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for frame, values in iterate_committee(members, frames, batch_size):
        if frame.forces is not None:
            per_component = np.repeat(values.force_spread / 3**0.5, 3)
            errors = (values.mean_forces - frame.forces).ravel()
            pairs.setdefault("forces", []).append((per_component, errors))
        if frame.energy is not None:
            of_energy = np.array([[values.energy_spread], [values.energy - frame.energy]])
            spread, error = of_energy / len(frame)
            pairs.setdefault("energy", []).append((spread, error))
    return {name: _joined(parts) for name, parts in pairs.items()}


def _joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> Spreads:
    spreads, errors = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Spreads(np.maximum(spreads, _SMALLEST_SPREAD), errors)


def _quantities(name: str, spreads: Spreads, scale: float) -> list[Quantity]:
    unit = {"forces": "eV/Å", "energy": "eV/atom"}[name]
    return [
        Quantity.shown(f"factor on the spread, {name}", scale),
        Quantity.shown(f"rank correlation of spread and error, {name}", spreads.rank_correlation()),
        Quantity.shown(f"root mean square error, {name}", _rms(spreads.error), unit),
        Quantity.shown(f"scaled spread, {name}", scale * _rms(spreads.spread), unit),
        *(
            Quantity.shown(
                f"errors within the {100 * probability:g} % interval, {name}",
                100 * spreads.coverage(scale, probability),
                "%",
            )
            for probability in COVERAGES
        ),
    ]


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))
