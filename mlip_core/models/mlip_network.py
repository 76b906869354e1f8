"""What every network is: a function from edge vectors and species to atomic energies."""

from typing import Any, ClassVar

import flax.linen as nn

from mlip_core.data.dataset_info import DatasetInfo
from mlip_core.models.atomic_energies import get_atomic_energies
from mlip_core.models.network_config import NetworkConfig
from mlip_core.typing import EdgeBlocks

Array = Any


class MLIPNetwork(nn.Module):
    """Base class of the networks: one implements ``energies`` from its layers.

    Attributes:
        config: the network's hyperparameters, an instance of its ``Config``.
        dataset_info: what it has to know of the dataset: elements, cutoff, statistics.
    """

    config: NetworkConfig
    dataset_info: DatasetInfo

    Config: ClassVar[type[NetworkConfig]] = NetworkConfig

    @nn.compact
    def __call__(
        self,
        edge_vectors: Array,
        node_species: Array,
        senders: Array,
        receivers: Array,
        blocks: EdgeBlocks | None = None,
    ) -> Array:
        """Energies of atoms relative to their atomic energies.

        Args:
            edge_vectors: ``[n_edges, 3]``, Å, from sender to receiver; edges of zero length and
                those longer than the cutoff contribute nothing.
            node_species: ``[n_nodes]``.
            senders: ``[n_edges]``.
            receivers: ``[n_edges]``.
            blocks: the order of the edges, if known.

        Returns:
            ``[n_nodes]``, eV: what the network adds to the atomic energy of each atom.
        """
        energies = self.energies(edge_vectors, node_species, senders, receivers, blocks)
        return self.dataset_info.scaling_mean + self.dataset_info.scaling_stdev * energies

    def energies(
        self,
        edge_vectors: Array,
        node_species: Array,
        senders: Array,
        receivers: Array,
        blocks: EdgeBlocks | None,
    ) -> Array:
        """Dimensionless energies of atoms ``[n_nodes]``; arguments as above."""
        raise NotImplementedError

    def readout_blocks(self) -> tuple[str, ...]:
        """Names of the blocks that turn features into energies, for fine-tuning these alone.

        As ``mask_optimizer_for_finetuning`` takes them.
        """
        raise NotImplementedError

    def atomic_energies(self) -> tuple[float, ...]:
        """Energy of the free atom of each species, eV."""
        return get_atomic_energies(self.dataset_info, self.config.atomic_energies)


def count_species(dataset_info: DatasetInfo, num_species: int | None) -> int:
    """How many species a network has parameters for.

    Args:
        dataset_info: has the elements.
        num_species: what the config asks for; ``None`` for the elements of the dataset.

    Raises:
        ValueError: if the dataset has more elements.
    """
    elements = sorted(dataset_info.atomic_energies_map)
    if num_species is None:
        return len(elements)
    if num_species < len(elements):
        raise ValueError(
            f"num_species ({num_species}) is less than the number of elements of the dataset, "
            f"{len(elements)} (atomic numbers {elements}): raise it or leave it out"
        )
    return num_species
