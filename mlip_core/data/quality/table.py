"""A dataset's structures as columns of numbers, measured in one pass over its files."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from mlip_core.data.frame_index import FrameFlag, FrameIndex, FrameIndexBuilder
from mlip_core.data.frames import BadFrame, Frame, FrameBlock
from mlip_core.data.quality.config import QualityConfig
from mlip_core.data.quality.geometry import measure_cells, measure_geometry
from mlip_core.data.quality.labels import measure_labels
from mlip_core.data.quality.work import measure_work


@dataclass(frozen=True, eq=False)
class FrameTable:
    """What was measured of structures, a row each; free atoms are none.

    Attributes:
        index: the index of all frames.
        row: ``[n]``, row of the index.
        smallest_distance, shortest_bond, n_pieces, n_parts, n_isolated: see ``measure_geometry``.
        volume, cell_height: see ``measure_cells``.
        largest_force, force_rms, net_force, force_mark, pressure, largest_stress: see
            ``measure_labels``.
        energy_change, force_work, stress_work: see ``measure_work``.
    """

    index: FrameIndex
    row: np.ndarray
    smallest_distance: np.ndarray
    shortest_bond: np.ndarray
    n_pieces: np.ndarray
    n_parts: np.ndarray
    n_isolated: np.ndarray
    volume: np.ndarray
    cell_height: np.ndarray
    largest_force: np.ndarray
    force_rms: np.ndarray
    net_force: np.ndarray
    force_mark: np.ndarray
    pressure: np.ndarray
    largest_stress: np.ndarray
    energy_change: np.ndarray
    force_work: np.ndarray
    stress_work: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def take(self, which: np.ndarray) -> "FrameTable":
        """The rows of a mask or of numbers."""
        columns = {name: getattr(self, name)[which] for name in _COLUMNS}
        return replace(self, **columns)

    @property
    def n_atoms(self) -> np.ndarray:
        """``[n]``."""
        return self.index.n_atoms[self.row]

    @property
    def composition(self) -> np.ndarray:
        """``[n]``, number of the composition."""
        return self.index.composition[self.row]

    def frames_per_composition(self) -> np.ndarray:
        """``[n_compositions]``."""
        return np.bincount(self.composition, minlength=self.index.compositions.shape[0])

    def frames_per_element(self) -> dict[int, int]:
        """In how many frames each atomic number occurs, of those that do."""
        counts = self.frames_per_composition() @ (self.index.compositions > 0)
        return {z: int(counts[z]) for z in np.flatnonzero(counts).tolist()}

    @property
    def energy_per_atom(self) -> np.ndarray:
        """``[n]``, eV; NaN without energy."""
        return self.index.energy[self.row] / self.n_atoms

    def has(self, flag: FrameFlag) -> np.ndarray:
        """``[n]``, see ``FrameIndex.has``."""
        return self.index.has(flag)[self.row]


_COLUMNS = tuple(field.name for field in fields(FrameTable) if field.name != "index")


def measure_frames(
    files: Mapping[str, Iterable[FrameBlock | BadFrame]],
    config: QualityConfig,
    on_bad_frame: Callable[[BadFrame], None],
    group_key: str | None = None,
) -> FrameTable:
    """Measure all frames of files, read once, in memory that is a row of numbers for each frame.

    Args:
        files: frames by file, some at a time.
        config: thresholds that decide how far to look.
        on_bad_frame: is told of each frame that cannot be used; it gets no row.
        group_key: see ``FrameIndex``.
    """
    builder = FrameIndexBuilder(list(files), group_key)
    measured: dict[str, list[np.ndarray]] = {name: [] for name in _COLUMNS}
    for number, frames in enumerate(files.values()):
        previous: Frame | None = None
        for block in _good(frames, on_bad_frame):
            row = len(builder)
            builder.add(number, block)
            for name, values in _measured(block, row, previous, config).items():
                measured[name].append(values)
            previous = block.frame(len(block) - 1)
    columns = {name: np.concatenate(parts or [np.empty(0)]) for name, parts in measured.items()}
    index = builder.build()
    table = FrameTable(index, **columns)
    return table.take(~table.has(FrameFlag.FREE_ATOM)) if len(table) else table


def _good(
    blocks: Iterable[FrameBlock | BadFrame], on_bad_frame: Callable[[BadFrame], None]
) -> Iterator[FrameBlock]:
    for block in blocks:
        if isinstance(block, BadFrame):
            on_bad_frame(block)
        else:
            yield block


def _measured(
    block: FrameBlock, row: int, previous: Frame | None, config: QualityConfig
) -> dict[str, np.ndarray]:
    return {
        "row": np.arange(row, row + len(block)),
        **measure_geometry(block, config.min_distance_angstrom, config.max_gap_angstrom),
        **measure_cells(block),
        **measure_labels(block),
        **measure_work(block, previous),
    }
