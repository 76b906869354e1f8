"""What the check of a dataset looks at, and what it does about what it finds."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat

from mlip_core.data.findings import Action


class ActionsConfig(BaseModel):
    """What to do about each kind of finding.

    `error` ends the study, `warn` goes on and says so, `drop` leaves the frames out of all that
    follows, `ignore` does nothing.

    Attributes:
        bad_frames: a frame's content cannot be used: not finite, no atoms, labels of a wrong shape.
        missing_labels: a frame lacks a label of `require`.
        duplicates: structures of earlier frames, with the same labels.
        conflicting_duplicates: structures of earlier frames, with other labels.
        lengths: in most frames the nearest atoms are far nearer, or farther, than bonds are long.
        close_atoms: two atoms nearer than `min_distance_angstrom`.
        isolated_atoms: an atom farther than `max_gap_angstrom` from all others.
        fragments: pieces of a structure farther apart than `max_gap_angstrom`.
        broken_bonds: a structure in pieces of which nearly all others of its composition are in
            one.
        cells: a periodic cell thinner than `min_cell_height_angstrom`, or left-handed.
        net_force: forces that do not add up to zero.
        large_forces: a force above `max_force_ev_per_angstrom`.
        force_outliers: forces far above those of all others.
        energy_outliers: an energy far from what the composition, and the others of the same
            composition, let expect.
        mixed_energies: energies in two separate groups that composition and forces do not
            explain: mixed units or levels of theory.
        inconsistent_forces: the energy does not change from frame to frame as the forces say:
            wrong unit or sign.
        inconsistent_stress: the energy does not change under strain as the stress says: wrong unit
            or sign; or stresses of a size that no solid has.
        rare_elements: an element occurs in fewer than `min_frames_per_element` frames.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bad_frames: Action = "error"
    missing_labels: Action = "error"
    duplicates: Action = "warn"
    conflicting_duplicates: Action = "error"
    lengths: Action = "warn"
    close_atoms: Action = "error"
    isolated_atoms: Action = "warn"
    fragments: Action = "warn"
    broken_bonds: Action = "warn"
    cells: Action = "warn"
    net_force: Action = "warn"
    large_forces: Action = "error"
    force_outliers: Action = "warn"
    energy_outliers: Action = "warn"
    mixed_energies: Action = "warn"
    inconsistent_forces: Action = "warn"
    inconsistent_stress: Action = "warn"
    rare_elements: Action = "warn"


class QualityConfig(BaseModel):
    """Thresholds of the dataset check.

    Attributes:
        require: labels that every frame must have; in a study those that the loss of a run on the
            dataset weighs are added.
        actions: what to do about each kind of finding.
        min_distance_angstrom: two atoms nearer than this are too close.
        max_gap_angstrom: atoms or pieces farther than this from the rest of a structure stand
            alone; a model does not see beyond its cutoff.
        min_cell_height_angstrom: no crystal's cell is thinner than the default; graphs of cells
            thinner than the cutoff are right.
        max_net_force_ev_per_angstrom: an isolated system's forces add up to zero.
        max_force_ev_per_angstrom: a larger force on an atom is too large.
        force_outlier_factor: a frame stands out if its largest force exceeds the median of all
            frames' largest forces by more than this many (scaled) median absolute deviations.
        energy_outlier_factor: the same for the energy per atom, either way.
        min_energy_gap_ev_per_atom: energies of one composition are in two groups if they are
            farther apart than this, and than the groups are wide.
        min_frames_per_element: an element in fewer frames is rare.
        max_frames_listed: how many frames a finding names; all are counted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    require: tuple[Literal["energy", "forces", "stress"], ...] = ("energy", "forces")
    actions: ActionsConfig = ActionsConfig()
    min_distance_angstrom: float = Field(default=0.4, ge=0, le=2.0)
    max_gap_angstrom: PositiveFloat = 5.0
    min_cell_height_angstrom: NonNegativeFloat = 1.5
    max_net_force_ev_per_angstrom: NonNegativeFloat = 0.1
    max_force_ev_per_angstrom: NonNegativeFloat = 300.0
    force_outlier_factor: PositiveFloat = 15.0
    energy_outlier_factor: PositiveFloat = 10.0
    min_energy_gap_ev_per_atom: PositiveFloat = 0.2
    min_frames_per_element: NonNegativeInt = 5
    max_frames_listed: NonNegativeInt = 10
