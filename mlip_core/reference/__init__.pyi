from .calculators import make_calculator, resolve_calculator
from .config import (
    CalculatorConfig,
    DynamicsConfig,
    LabelConfig,
    ReferenceConfig,
    ReferencePart,
    reference_parts,
)
from .extxyz import write_extxyz
from .generate import generate_part, join_parts
from .structures import check_structure, is_molecule_name, load_structure

__all__ = [
    "CalculatorConfig",
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
