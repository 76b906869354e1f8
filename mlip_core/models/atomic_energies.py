"""The energies of free atoms that a model adds to what its network predicts."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mlip_core.data.dataset_info import DatasetInfo

AtomicEnergies = Literal["average", "zero"] | dict[int, float] | None


def get_atomic_energies(
    dataset_info: "DatasetInfo",
    atomic_energies_input: str | dict[int, float] | None = None,
) -> tuple[float, ...]:
    """Energies of free atoms in the order of the dataset's elements, eV.

    Args:
        dataset_info: where the elements, and by default the energies, come from.
        atomic_energies_input: ``None`` or ``"average"`` for those of the dataset, ``"zero"``, or
            energies by atomic number.

    Raises:
        ValueError: if the input is another word, or lacks an element of the dataset.
    """
    elements = sorted(dataset_info.atomic_energies_map)
    if atomic_energies_input is None or atomic_energies_input == "average":
        energies = dataset_info.atomic_energies_map
    elif atomic_energies_input == "zero":
        energies = dict.fromkeys(elements, 0.0)
    elif isinstance(atomic_energies_input, str):
        raise ValueError(
            f"atomic_energies: {atomic_energies_input!r} is not 'average', 'zero' or a dictionary"
        )
    else:
        energies = atomic_energies_input
    missing = [element for element in elements if element not in energies]
    if missing:
        raise ValueError(
            f"atomic_energies: no energy for atomic numbers {missing}, which the dataset has: "
            "add them, or leave the key out for the energies of the dataset"
        )
    return tuple(float(energies[element]) for element in elements)
