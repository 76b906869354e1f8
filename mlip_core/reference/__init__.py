"""Reference data made on the spot: any ASE calculator labels structures or runs dynamics."""

from mlip_core.reference.calculators import make_calculator, resolve_calculator
from mlip_core.reference.config import (
    DynamicsConfig,
    LabelConfig,
    ReferenceConfig,
    ReferencePart,
    reference_parts,
)
from mlip_core.reference.extxyz import write_extxyz
from mlip_core.reference.generate import generate_part, join_parts
from mlip_core.reference.structures import check_structure, is_molecule_name, load_structure

__all__ = [
    "DynamicsConfig",
    "LabelConfig",
    "ReferenceConfig",
    "ReferencePart",
    "check_structure",
    "generate_part",
    "is_molecule_name",
    "join_parts",
    "load_structure",
    "make_calculator",
    "reference_parts",
    "resolve_calculator",
    "write_extxyz",
]
