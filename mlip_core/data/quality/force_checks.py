"""Checks of forces and stress by themselves."""

import numpy as np

from mlip_core.data.quality.config import QualityConfig
from mlip_core.data.quality.suspects import Found, Suspects, counted, median_and_spread
from mlip_core.data.quality.table import FrameTable

# 160 GPa: diamond anvils hold more, datasets whose median is above are in GPa or kbar.
_LARGE_STRESS_EV_PER_ANGSTROM3 = 1.0


def check_net_force(table: FrameTable, config: QualityConfig) -> Found:
    """Forces that do not add up to zero."""
    limit = config.max_net_force_ev_per_angstrom
    which = table.net_force > limit
    yield Suspects(
        "net_force",
        which,
        f"forces of {counted(which)} add up to more than {limit:g} eV/Å",
        "check for external fields, fixed atoms, or loose convergence",
    )


def check_force_size(table: FrameTable, config: QualityConfig) -> Found:
    """Forces that are too large, or far above those of all others."""
    limit = config.max_force_ev_per_angstrom
    too_large = table.largest_force > limit
    known = table.largest_force[~np.isnan(table.largest_force)]
    if not len(known):
        return
    yield Suspects(
        "large_forces",
        too_large,
        f"{counted(too_large)} with a force above {limit:g} eV/Å, up to {known.max():.4g}",
        "check labels.forces_unit, or remove the frames",
    )
    median, spread = median_and_spread(known)
    threshold = median + config.force_outlier_factor * spread + 1e-9 * median
    outlying = (table.largest_force > threshold) & ~too_large
    yield Suspects(
        "force_outliers",
        outlying,
        f"the largest force of {counted(outlying)} is far above the others'"
        f" (median {median:.4g} eV/Å)",
        "check that these calculations converged",
    )


def check_stress_size(table: FrameTable, _config: QualityConfig) -> Found:
    """Stresses that no solid has."""
    known = ~np.isnan(table.largest_stress)
    if known.any() and np.median(table.largest_stress[known]) > _LARGE_STRESS_EV_PER_ANGSTROM3:
        median = np.median(table.largest_stress[known])
        yield Suspects(
            "inconsistent_stress",
            known,
            f"half of the stresses are above {median:.3g} eV/Å³ ({160.2 * median:.3g} GPa)",
            "check labels.stress_unit",
        )
