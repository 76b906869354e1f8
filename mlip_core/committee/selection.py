"""Which structures of a pool to label next."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from mlip_core.committee.config import SelectionConfig
from mlip_core.committee.descriptors import distance_histograms, farthest_points
from mlip_core.committee.predictions import iterate_committee
from mlip_core.data.frames import Frame
from mlip_core.models.force_field import ForceField
from mlip_core.utils.errors import UserError
from mlip_core.utils.seeds import derive_seed


@dataclass(frozen=True)
class Selection:
    """Structures that were chosen from a pool.

    Attributes:
        frames: those chosen.
        spreads: of their forces, eV/Å, the largest of each structure; NaN if chosen at random.
        pool: how many different structures there were to choose from.
        spread_quantiles: of the pool, by probability, eV/Å; empty if chosen at random.
    """

    frames: list[Frame]
    spreads: np.ndarray
    pool: int
    spread_quantiles: dict[str, float]

    @property
    def structures(self) -> list[Atoms]:
        """Those chosen without anything but elements, positions and cell."""
        return [
            Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)
            for frame in self.frames
        ]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        spreads = [None if np.isnan(spread) else float(spread) for spread in self.spreads]
        return {
            "pool": self.pool,
            "spread_quantiles_ev_per_angstrom": self.spread_quantiles,
            "selected": [
                {"file": frame.file, "frame": frame.index, "max_force_spread_ev_per_angstrom": s}
                for frame, s in zip(self.frames, spreads, strict=True)
            ],
        }


def select_frames(
    members: Sequence[ForceField],
    pool: Sequence[Frame],
    known: Collection[str],
    config: SelectionConfig,
    seed: int,
) -> Selection:
    """Choose structures to label.

    By spread: of those that the committee agrees least on (as many as candidates are asked for),
    the one with the largest spread, then always the one most different from those chosen. Those for
    which a member's forces are not finite are no structures to label: they are left out.

    Args:
        members: the committee; not used for a random choice.
        pool: structures; copies count once.
        known: digests of structures that are in the dataset already.
        config: how many, and how.
        seed: decides a random choice.

    Raises:
        UserError: if there are fewer structures than asked for.
    """
    unknown = list({frame.digest: frame for frame in pool if frame.digest not in known}.values())
    if config.strategy == "random":
        _require_enough(len(unknown), config)
        rng = np.random.default_rng(derive_seed(seed, "random selection"))
        rows = np.sort(rng.choice(len(unknown), config.per_round, replace=False))
        return Selection(
            [unknown[row] for row in rows], np.full(len(rows), np.nan), len(unknown), {}
        )
    values = [value.max_force_spread for _, value in iterate_committee(members, unknown)]
    is_finite = np.isfinite(values)
    unknown = [frame for frame, keep in zip(unknown, is_finite, strict=True) if keep]
    spreads = np.array(values)[is_finite]
    rows = _most_uncertain(spreads, config)
    candidates = [unknown[row] for row in rows]
    chosen = rows[farthest_points(distance_histograms(candidates), config.per_round)]
    quantiles = {
        str(probability): float(np.quantile(spreads, probability))
        for probability in (0.05, 0.5, 0.95, 1.0)
    }
    return Selection([unknown[row] for row in chosen], spreads[chosen], len(unknown), quantiles)


def _most_uncertain(spreads: np.ndarray, config: SelectionConfig) -> np.ndarray:
    """Rows of the candidates, the largest spread first."""
    largest_first = np.argsort(-spreads, kind="stable")
    if config.max_spread_ev_per_angstrom is not None:
        within = spreads[largest_first] <= config.max_spread_ev_per_angstrom
        largest_first = largest_first[within]
    _require_enough(len(largest_first), config)
    return largest_first[: config.per_round * config.candidates_per_choice]


def _require_enough(number: int, config: SelectionConfig) -> None:
    if number < config.per_round:
        raise UserError(
            f"selection: {config.per_round} structures asked for, but the pool has {number} that"
            " are new and not left out; give a larger pool or ask for fewer"
        )
