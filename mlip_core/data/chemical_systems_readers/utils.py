"""What all readers do with what they read."""

import logging
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import numpy as np
from ase.data import chemical_symbols

from mlip_core.data.chemical_system import ChemicalSystem
from mlip_core.data.helpers.atomic_number_table import AtomicNumberTable

_logger = logging.getLogger(__name__)

In = TypeVar("In")
Out = TypeVar("Out")
Systems = list[ChemicalSystem]
Splits = tuple[Systems, Systems, Systems]
Postprocess = Callable[[Systems, Systems, Systems], Splits]


def filter_systems_with_unseen_atoms_and_assign_atomic_species(
    train_systems: Systems,
    valid_systems: Systems,
    test_systems: Systems,
    z_table: AtomicNumberTable | None = None,
) -> Splits:
    """Number the elements of the training set, and drop other structures that have any other.

    How many are dropped is logged as a warning.

    Args:
        train_systems: structures for training.
        valid_systems: for validation.
        test_systems: for the test.
        z_table: elements to use instead of those of the training set.
    """
    if z_table is None:
        numbers = [system.atomic_numbers for system in train_systems]
        z_table = AtomicNumberTable(np.unique(np.concatenate(numbers)).tolist() if numbers else [])
    named = {"training": train_systems, "validation": valid_systems, "test": test_systems}
    train, valid, test = (_assign_species(name, s, z_table) for name, s in named.items())
    return train, valid, test


def warn_of_unseen_elements(
    name: str, n_structures: int, n_kept: int, unknown: Collection[int]
) -> None:
    """Log how many structures were dropped for which elements, if any were."""
    if n_kept < n_structures:
        _logger.warning(
            "%d of %d %s structures have elements that the training set lacks (%s); dropped.",
            n_structures - n_kept,
            n_structures,
            name,
            ", ".join(chemical_symbols[z] for z in sorted(unknown)),
        )


def apply_flatten(
    fun: Callable[..., list[Out]], elements: Sequence[In], *args: Any, **kwargs: Any
) -> list[Out]:
    """One list of all that ``fun`` returns for each of the elements."""
    return [result for element in elements for result in fun(element, *args, **kwargs)]


def _assign_species(name: str, systems: Systems, z_table: AtomicNumberTable) -> Systems:
    known = set(z_table.zs)
    kept = [s for s in systems if known.issuperset(s.atomic_numbers.tolist())]
    present = {z for system in systems for z in system.atomic_numbers.tolist()}
    warn_of_unseen_elements(name, len(systems), len(kept), present - known)
    return [
        system.model_copy(update={"atomic_species": z_table.species(system.atomic_numbers)})
        for system in kept
    ]
