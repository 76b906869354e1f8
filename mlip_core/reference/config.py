"""What reference data to make: which calculator, on which structures, with or without dynamics."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from mlip_core.utils.secrets import refuse_secrets


class TrajectoryConfig(BaseModel):
    """One trajectory of Langevin dynamics, of which frames are kept at equal distances in time."""

    model_config = ConfigDict(extra="forbid")

    structure: str = Field(
        description="Start structure: a name that `ase.build.molecule` knows (ethanol is "
        "`CH3CH2OH`), or a file that ASE reads, of which the first frame is taken."
    )
    frames_per_trajectory: PositiveInt = Field(description="Frames kept of each trajectory.")
    spacing_fs: PositiveFloat = Field(
        default=50.0,
        description="Time between two kept frames, fs: long enough that they are decorrelated.",
    )
    equilibration_fs: NonNegativeFloat = Field(
        default=1000.0, description="Time before the first kept frame that is thrown away, fs."
    )
    timestep_fs: PositiveFloat = Field(default=1.0, description="Time step of the integrator, fs.")
    friction_per_fs: PositiveFloat = Field(
        default=0.02, description="Friction of the Langevin thermostat, 1/fs."
    )
    relax_steps: NonNegativeInt = Field(
        default=0,
        description="Largest number of steps by which the start structure is relaxed before the "
        "dynamics; 0 leaves it as it is.",
    )
    relax_force_ev_per_angstrom: PositiveFloat = Field(
        default=0.05, description="The relaxation ends when no force is larger, eV/Å."
    )

    @model_validator(mode="after")
    def _spacing_is_a_number_of_steps(self) -> Self:
        steps = self.spacing_fs / self.timestep_fs
        if round(steps) < 1 or abs(steps - round(steps)) > 1e-6:
            raise ValueError(
                f"spacing_fs ({self.spacing_fs:g}) must be a whole multiple of "
                f"timestep_fs ({self.timestep_fs:g})"
            )
        return self


class DynamicsConfig(TrajectoryConfig):
    """Trajectories of one start structure at one or more temperatures."""

    temperatures_kelvin: list[PositiveFloat] = Field(
        min_length=1,
        description="Temperatures of the thermostat, K; each has its own trajectories.",
    )
    trajectories_per_temperature: PositiveInt = Field(
        default=1,
        description="Independent trajectories at each temperature; each is a job of its own.",
    )

    @field_validator("temperatures_kelvin")
    @classmethod
    def _temperatures_differ(cls, temperatures: list[float]) -> list[float]:
        if len(set(temperatures)) < len(temperatures):
            raise ValueError(
                "the same temperature stands twice; set trajectories_per_temperature for more "
                "trajectories of one temperature"
            )
        return temperatures


class LabelConfig(BaseModel):
    """Structures that are given and only need energies and forces."""

    model_config = ConfigDict(extra="forbid")

    files: list[str] = Field(
        min_length=1,
        description="Files of structures that ASE reads; every frame is labelled, each file is a "
        "job of its own.",
    )


class CalculatorConfig(BaseModel):
    """An ASE calculator."""

    model_config = ConfigDict(extra="forbid")

    calculator: str = Field(
        description="Import path of an ASE calculator class, or of a function that returns a "
        "calculator, e.g. `tblite.ase.TBLite`; or ASE's name of one of its own, e.g. `emt`."
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict,
        description="Keyword arguments that the calculator is made with. A password or token is "
        "written `${NAME}`, with the name of an environment variable.",
    )

    @field_validator("arguments")
    @classmethod
    def _no_secrets(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        refuse_secrets(arguments)
        return arguments


class ReferenceConfig(CalculatorConfig):
    """Reference data made by an ASE calculator, by dynamics or by labelling structures."""

    isolated_atoms: bool = Field(
        default=False,
        description="Also label one free atom of each element; `atomic_energies: isolated_atoms` "
        "needs them.",
    )
    dynamics: DynamicsConfig | None = Field(
        default=None, description="Run molecular dynamics; either this or `label`."
    )
    label: LabelConfig | None = Field(
        default=None, description="Label given structures; either this or `dynamics`."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.dynamics is None) == (self.label is None):
            raise ValueError("exactly one of `dynamics` and `label` must be given")
        return self

    @property
    def structures(self) -> list[str]:
        """Where structures come from: files, or the name of one molecule."""
        if self.dynamics is not None:
            return [self.dynamics.structure]
        return self.label.files if self.label is not None else []


class TrajectoryPart(BaseModel):
    """One trajectory."""

    kind: Literal["trajectory"] = "trajectory"
    name: str
    temperature_kelvin: float
    trajectory: TrajectoryConfig
    calculator: str
    arguments: dict[str, Any]

    @property
    def structures(self) -> list[str]:
        """The start structure."""
        return [self.trajectory.structure]


class LabelPart(BaseModel):
    """One file of structures to label."""

    kind: Literal["label"] = "label"
    name: str
    file: str
    calculator: str
    arguments: dict[str, Any]

    @property
    def structures(self) -> list[str]:
        """The file."""
        return [self.file]


class FreeAtomsPart(BaseModel):
    """One free atom of each element of some structures."""

    kind: Literal["free_atoms"] = "free_atoms"
    name: str = "isolated-atoms"
    structures: list[str]
    calculator: str
    arguments: dict[str, Any]


ReferencePart = Annotated[TrajectoryPart | LabelPart | FreeAtomsPart, Field(discriminator="kind")]
"""What one job makes. It holds all that decides its result but the seed, and nothing else."""


def reference_parts(config: ReferenceConfig) -> list[TrajectoryPart | LabelPart | FreeAtomsPart]:
    """The parts of a dataset's reference data, in the order in which they are put together."""
    made_by = config.model_dump(include={"calculator", "arguments"})
    parts: list[TrajectoryPart | LabelPart | FreeAtomsPart] = []
    if config.isolated_atoms:
        parts.append(FreeAtomsPart(structures=config.structures, **made_by))
    if config.label is not None:
        for index, file in enumerate(config.label.files):
            parts.append(LabelPart(name=f"label-{index}", file=file, **made_by))
    if config.dynamics is not None:
        parts.extend(_trajectories(config.dynamics, made_by))
    return parts


def _trajectories(dynamics: DynamicsConfig, made_by: dict[str, Any]) -> list[TrajectoryPart]:
    common = TrajectoryConfig(
        **dynamics.model_dump(exclude={"temperatures_kelvin", "trajectories_per_temperature"})
    )
    return [
        TrajectoryPart(
            name=f"{temperature:.10g}K-{replica}",
            temperature_kelvin=temperature,
            trajectory=common,
            **made_by,
        )
        for temperature in dynamics.temperatures_kelvin
        for replica in range(dynamics.trajectories_per_temperature)
    ]
