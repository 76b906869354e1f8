"""What each figure of an evaluation is, in words that a report can print beside it."""

FORCE_MAGNITUDES = (0.0, 0.3, 1.0, 3.0, 10.0)
"""Lower ends of the groups by length of the reference force, eV/Å."""

CONFIDENCE_PERCENT = 95
QUANTILES_PERCENT = (50, 90, 95, 99)

UNITS = {
    "energy": "eV",
    "energy_per_atom": "eV/atom",
    "forces": "eV/Å",
    "forces_vector": "eV/Å",
    "stress": "eV/Å³",
}

DEFINITIONS = {
    "errors": "All figures are computed in float64 from one pool of all entries of a test set, "
    "never as averages over batches or structures. d is predicted minus reference of an entry; a "
    "structure takes part in a quantity for which it has a label and the model gives a value.",
    "energy": "One entry per structure, eV: the interaction energy, that is the total energy minus "
    "the sum of the atomic energies of the training data. d is the difference of total energies.",
    "energy_per_atom": "The energy divided by the number of atoms, eV/atom.",
    "forces": "Three entries per atom: the components of its force, eV/Å.",
    "forces_vector": "One entry per atom, eV/Å: |d| is the length of the difference of the two "
    "force vectors.",
    "stress": "Nine entries per structure: the components of its stress, eV/Å³, positive under "
    "tension; those off the diagonal count twice.",
    "mae": "Mean of |d|.",
    "rmse": "Root of the mean of d².",
    "max": "Largest |d|.",
    "quantiles": "|d| that 50, 90, 95 and 99 % of the entries do not exceed, interpolated linearly "
    "between entries.",
    "r2": "1 − Σd² / Σ(reference − its mean)²; none where the reference does not vary.",
    "reference_std": "Root of the mean of (reference − its mean)².",
    "relative_rmse_percent": "RMSE in percent of the reference's standard deviation.",
    "mean_cosine": "Mean cosine of the angle between predicted and reference force, over the atoms "
    "where neither is zero.",
    "energy_shift": "What was added to predicted energies for each atom of an element, eV, since "
    "the model counts energies from another zero: fitted by least squares to the training set.",
    "confidence": f"{CONFIDENCE_PERCENT} % bootstrap intervals: the structures of the test set are "
    "drawn anew with replacement, all atoms of a structure together, and the figure is computed "
    "from each draw; the interval leaves out as many of these values below as above it. None for "
    "maximum and quantiles, nor for a group of fewer than two structures.",
    "by_config_type": "Structures by their property config_type.",
    "by_size": "Structures by number of atoms, in groups that double: 1, 2, 3-4, 5-8, 9-16, …",
    "by_element": "Atoms by element.",
    "by_force_magnitude": "Atoms by length of the reference force, eV/Å.",
}
"""By the names that the figures have in ``metrics.json``."""
