from .stablehlo import export_force_field

__all__ = [
    "export_force_field",
]
