"""Settings of the physics checks: how each is run and what a potential has to hold.

The checks need ASE's dynamics and optimizers; their settings do not, so that a study is read fast.
"""

from typing import ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)


class CheckConfig(BaseModel):
    """What all checks share.

    Attributes:
        gates: names of the fields that judge what was measured and do not change it.
        has_reference: whether the dataset's reference calculator measures the same, to compare.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    gates: ClassVar[frozenset[str]] = frozenset()
    has_reference: ClassVar[bool] = False


class StructuresConfig(BaseModel):
    """Which structures of the test set are checked, and their reference minima.

    Of each composition it is the one with the lowest energy per atom. Where the dataset is made by
    a `reference` calculator, that calculator relaxes it first, in its cell.

    Attributes:
        compositions: how many compositions are checked, the most frequent of the test set first, of
            molecules and of periodic structures each.
        relax_max_force_ev_per_angstrom: where the reference calculator's relaxation stops.
        relax_max_steps: where it stops at the latest; then there is no reference minimum.
        distance_frames: from how many frames of the training set the shortest distances of each
            pair of elements are taken.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    compositions: PositiveInt = 1
    relax_max_force_ev_per_angstrom: PositiveFloat = 0.002
    relax_max_steps: PositiveInt = 500
    distance_frames: PositiveInt = 1000


class NveConfig(CheckConfig):
    """Dynamics at constant energy: do forces and energy belong together, and are they smooth?

    Attributes:
        temperature_kelvin: temperature the dynamics should have on average.
        time_fs: length of the trajectory.
        timestep_fs: time step of velocity Verlet.
        sample_interval_steps: energies are recorded every so many steps.
        start: ``"relaxed"`` minimises the energy first and puts twice the temperature into the
            velocities, since about half of it flows into the potential energy (equipartition);
            ``"given"`` starts from the structure as it is, with velocities of the temperature
            itself.
        relax_max_force_ev_per_angstrom: where the relaxation stops.
        relax_max_steps: where it stops at the latest; an unfinished relaxation is no failure.
        max_drift_mev_per_atom: the drift of the total energy over the trajectory that still passes.
            1 meV/atom, the default, warms by 4 K; sound models drift by some hundredths of it.
    """

    gates = frozenset({"max_drift_mev_per_atom"})

    temperature_kelvin: PositiveFloat = 300.0
    time_fs: PositiveFloat = 1000.0
    timestep_fs: PositiveFloat = 0.5
    sample_interval_steps: PositiveInt = 2
    start: Literal["relaxed", "given"] = "relaxed"
    relax_max_force_ev_per_angstrom: PositiveFloat = 0.02
    relax_max_steps: NonNegativeInt = 200
    max_drift_mev_per_atom: PositiveFloat = 1.0

    @model_validator(mode="after")
    def _at_least_two_samples(self) -> Self:
        if self.num_steps < self.sample_interval_steps:
            raise ValueError("time_fs must cover at least one sample_interval_steps * timestep_fs")
        return self

    @property
    def num_steps(self) -> int:
        """Number of time steps."""
        return round(self.time_fs / self.timestep_fs)


class StabilityConfig(CheckConfig):
    """Dynamics with a thermostat (Langevin): does the structure stay together?

    A trajectory ends, and has not survived, when a number is no longer finite, the temperature
    exceeds ten times that of the thermostat, two atoms are nearer than half the sum of their
    covalent radii, or a bond of the start has more than `broken_bond_factor` times its length. A
    proton may go over from one N, O, S or halogen atom to another.

    Attributes:
        temperatures_kelvin: temperatures of the thermostat.
        trajectories: how many are run at each temperature, with other random numbers.
        time_fs: length of each.
        timestep_fs: time step.
        friction_per_fs: friction of the thermostat.
        sample_interval_steps: the structure is looked at every so many steps.
        bond_factor: two atoms are bonded in the start if they are nearer than this times the sum
            of their covalent radii.
        broken_bond_factor: a bond is broken when it is longer than this times its length in the
            start, by far more than vibrations do; `null` if bonds may break, as in a liquid.
        min_surviving_share: the share of trajectories that has to survive.
    """

    gates = frozenset({"min_surviving_share"})

    temperatures_kelvin: list[PositiveFloat] = Field(default=[300.0], min_length=1)
    trajectories: PositiveInt = 3
    time_fs: PositiveFloat = 1000.0
    timestep_fs: PositiveFloat = 1.0
    friction_per_fs: PositiveFloat = 0.02
    sample_interval_steps: PositiveInt = 10
    bond_factor: PositiveFloat = 1.25
    broken_bond_factor: float | None = Field(default=2.0, gt=1)
    min_surviving_share: float = Field(default=1.0, ge=0, le=1)

    @property
    def num_steps(self) -> int:
        """Number of time steps of a trajectory."""
        return round(self.time_fs / self.timestep_fs)


class RelaxingConfig(CheckConfig):
    """A relaxation before what is measured.

    Attributes:
        relax_max_force_ev_per_angstrom: where the relaxation stops.
        relax_max_steps: where it stops at the latest.
    """

    relax_max_force_ev_per_angstrom: PositiveFloat = 0.01
    relax_max_steps: PositiveInt = 300


class SolidReference(BaseModel):
    """What is known of a solid at zero pressure.

    Attributes:
        volume_angstrom3_per_atom: volume, Å³/atom.
        bulk_modulus_gpa: bulk modulus, GPa.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    volume_angstrom3_per_atom: PositiveFloat | None = None
    bulk_modulus_gpa: PositiveFloat | None = None


class EquationOfStateConfig(RelaxingConfig):
    """Energy against volume of solids: is there a smooth minimum, where and how stiff?

    The cell is scaled in all directions alike and keeps its shape, atoms are relaxed at each
    volume, and Birch's equation of state is fitted. Structures that are not periodic in all
    directions are left out.

    Attributes:
        max_strain: volumes reach from 1 - this to 1 + this times that of the structure.
        points: how many volumes.
        reference: known values by reduced formula, e.g. `{Si: {bulk_modulus_gpa: 98}}`; instead of
            those by the dataset's `reference` calculator.
        max_residual_mev_per_atom: the root mean square distance of the energies from the fitted
            curve that still passes.
        max_volume_error_percent: the difference from the reference volume that still passes: 3 %,
            the default, are 1 % in length, as much as density functionals differ.
        max_bulk_modulus_error_percent: the same for the bulk modulus.
    """

    gates = frozenset(
        {
            "reference",
            "max_residual_mev_per_atom",
            "max_volume_error_percent",
            "max_bulk_modulus_error_percent",
        }
    )

    has_reference = True

    max_strain: float = Field(default=0.08, gt=0, lt=0.5)
    points: int = Field(default=9, ge=5)
    reference: dict[str, SolidReference] = {}
    max_residual_mev_per_atom: PositiveFloat = 1.0
    max_volume_error_percent: PositiveFloat = 3.0
    max_bulk_modulus_error_percent: PositiveFloat = 20.0


class RelaxationConfig(RelaxingConfig):
    """Relaxation from the reference minimum: does the potential have its minimum there?

    Without a `reference` calculator it begins at the structure with the lowest energy; then how far
    it leads is shown and not judged.

    Attributes:
        max_rmsd_angstrom: the root mean square displacement of the atoms, translation and rotation
            as a whole taken off, that still passes.
    """

    gates = frozenset({"max_rmsd_angstrom"})

    max_rmsd_angstrom: PositiveFloat = 0.1


class DimersConfig(CheckConfig):
    """Two atoms pressed together: do they repel when they are near, or is there a hole?

    In each structure the nearest two atoms of each pair of elements are moved towards each other,
    down to half the sum of their covalent radii, while all others stay where they are. The energy
    has to rise by `min_wall_ev` before it falls. Energies of the two atoms alone are shown only:
    in a molecule they may bind at longer distances than alone.

    Attributes:
        points: how many distances.
        max_energy_ev: a curve ends where its energy is higher than this above that of the
            structure.
        min_wall_ev: the height of the wall that passes. At 1000 K a vibration has 2 eV, the
            default, once in some 100 µs.
        max_hole_ev: energies that fall by no more than this are no hole: the structure need not be
            at a minimum, so they may fall a little in the beginning.
    """

    gates = frozenset({"min_wall_ev", "max_hole_ev"})

    points: int = Field(default=60, ge=10)
    max_energy_ev: PositiveFloat = 10.0
    min_wall_ev: PositiveFloat = 2.0
    max_hole_ev: NonNegativeFloat = 0.2

    @model_validator(mode="after")
    def _wall_within_curve(self) -> Self:
        if self.min_wall_ev > self.max_energy_ev:
            raise ValueError("max_energy_ev must not be less than min_wall_ev")
        return self


class InvarianceConfig(CheckConfig):
    """Rotated, reflected, shifted and permuted structures: same energy, forces that go along?

    Attributes:
        operations: how many random ones of each kind.
        max_shift_angstrom: size of the shifts.
        max_energy_error_mev_per_atom: the change of the energy that still passes.
        max_force_error_mev_per_angstrom: the largest difference of a force component that still
            passes.
    """

    gates = frozenset({"max_energy_error_mev_per_atom", "max_force_error_mev_per_angstrom"})

    operations: PositiveInt = 5
    max_shift_angstrom: PositiveFloat = 10.0
    max_energy_error_mev_per_atom: PositiveFloat = 0.05
    max_force_error_mev_per_angstrom: PositiveFloat = 1.0


class VibrationsConfig(RelaxingConfig):
    """Frequencies at the relaxed minimum, from finite differences of the forces.

    Of solids those of the cell as it is: phonons at Γ. Where a relaxation has stopped at a saddle
    point, the structure is moved along its imaginary mode and relaxed again, up to three times.

    Attributes:
        relax_max_force_ev_per_angstrom: where the relaxation stops; ten times this is as much as
            the force on a methyl group halfway between two minima.
        relax_max_steps: where it stops at the latest.
        displacement_angstrom: by how much atoms are moved to either side.
        max_atoms: larger structures are left out.
        max_imaginary_per_cm: size of an imaginary frequency that still passes, 1/cm. Rounding in
            float32 can make some 20/cm of a soft mode.
        max_mean_error_per_cm: the mean absolute difference from the frequencies of the dataset's
            `reference` calculator that still passes, 1/cm: that of common density functionals from
            each other.
    """

    gates = frozenset({"max_imaginary_per_cm", "max_mean_error_per_cm"})

    has_reference = True

    relax_max_force_ev_per_angstrom: PositiveFloat = 0.001
    relax_max_steps: PositiveInt = 1000
    displacement_angstrom: PositiveFloat = 0.01
    max_atoms: PositiveInt = 100
    max_imaginary_per_cm: NonNegativeFloat = 50.0
    max_mean_error_per_cm: PositiveFloat = 30.0


class PhysicsConfig(BaseModel):
    """Physics checks of each model; a check that is `null` is left out.

    Attributes:
        structures: which structures are checked.
        nve: dynamics at constant energy.
        stability: dynamics with a thermostat.
        equation_of_state: energy against volume, of solids.
        relaxation: relaxation from the reference minimum.
        dimers: energies of two atoms against distance.
        invariance: rotations, reflections, shifts and permutations.
        vibrations: frequencies at the minimum.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    structures: StructuresConfig = StructuresConfig()
    nve: NveConfig | None = NveConfig()
    stability: StabilityConfig | None = StabilityConfig()
    equation_of_state: EquationOfStateConfig | None = EquationOfStateConfig()
    relaxation: RelaxationConfig | None = RelaxationConfig()
    dimers: DimersConfig | None = DimersConfig()
    invariance: InvarianceConfig | None = InvarianceConfig()
    vibrations: VibrationsConfig | None = VibrationsConfig()

    @property
    def checks(self) -> dict[str, CheckConfig]:
        """The settings of the checks that are not left out, by name."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if isinstance(value, CheckConfig)}


class CostConfig(BaseModel):
    """How long steps of dynamics take with each model, for systems of several sizes.

    The systems are copies of the first structure of the physics checks: a supercell of what is
    periodic, copies out of each other's reach of a molecule.

    Attributes:
        copies: sizes, as numbers of copies, from the smallest; supercells have as many or a few
            more.
        steps: steps of dynamics whose median is taken.
        max_atoms: larger systems are left out, all but the first.
        max_seconds_per_step: larger systems are left out after one whose steps took longer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    copies: list[PositiveInt] = Field(default=[1, 4, 16], min_length=1)
    steps: PositiveInt = 20
    max_atoms: PositiveInt = 5000
    max_seconds_per_step: PositiveFloat = 5.0
