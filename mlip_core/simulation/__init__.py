"""Running a force field: ASE calculators and dynamics."""
