"""Choices of the simulation configs."""

from enum import Enum


class SimulationType(Enum):
    """What a simulation does."""

    MD = "md"
    MINIMIZATION = "minimization"


class SimulationBackend(Enum):
    """What runs a simulation."""

    JAX_MD = "jaxmd"
    ASE = "ase"


class MDIntegrator(Enum):
    """Which ensemble dynamics sample."""

    NVT_LANGEVIN = "nvt_langevin"
    NVE = "nve"


class TemperatureScheduleMethod(Enum):
    """How the temperature changes over a simulation."""

    CONSTANT = "constant"
    LINEAR = "linear"
    TRIANGLE = "triangle"
