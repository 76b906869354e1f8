"""What the hyperparameters of every network have in common.

Nothing here imports JAX: a study is checked without it.
"""

from typing import ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, PositiveInt

from mlip_core.models.atomic_energies import AtomicEnergies


class Recipe(NamedTuple):
    """What a network trains well with where its run does not say it.

    None of it depends on the number of epochs, so that a longer training continues a shorter one.

    Attributes:
        energy_weight: weight of the energy per atom in the loss, in which forces weigh 25.
        init_learning_rate: of the first step.
        learning_rate: after the warm-up, until the validation set asks for a smaller one.
        warmup_steps: steps between the two.
    """

    energy_weight: float = 100.0
    init_learning_rate: float = 1e-4
    learning_rate: float = 1e-3
    warmup_steps: int = 500


class NetworkConfig(BaseModel):
    """Base class of the hyperparameters of a network.

    Attributes:
        atomic_energies: ``None`` or "average" for those of the dataset, "zero", or eV by atomic
            number.
        num_species: number of elements; default that of the dataset.
    """

    model_config = ConfigDict(extra="forbid")

    recipe: ClassVar[Recipe] = Recipe()

    atomic_energies: AtomicEnergies = None
    num_species: PositiveInt | None = None
