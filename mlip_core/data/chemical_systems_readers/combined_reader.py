"""Structures from several readers."""

from collections.abc import Iterator
from itertools import chain

from mlip_core.data.chemical_systems_readers.chemical_systems_reader import ChemicalSystemsReader
from mlip_core.data.chemical_systems_readers.utils import (
    Postprocess,
    Splits,
    filter_systems_with_unseen_atoms_and_assign_atomic_species,
)
from mlip_core.data.helpers.graph_creation import StructureBlock


class CombinedReader:
    """Reads with several readers, one after the other."""

    def __init__(self, chemical_systems_readers: list[ChemicalSystemsReader]) -> None:
        """Combine readers."""
        self.chemical_systems_readers = chemical_systems_readers

    def load(
        self,
        postprocess_fun: (
            Postprocess | None
        ) = filter_systems_with_unseen_atoms_and_assign_atomic_species,
    ) -> Splits:
        """Read everything; ``postprocess_fun`` sees the joined lists."""
        splits: Splits = ([], [], [])
        for reader in self.chemical_systems_readers:
            for joined, read in zip(splits, reader.load(postprocess_fun=None), strict=True):
                joined.extend(read)
        return splits if postprocess_fun is None else postprocess_fun(*splits)

    def load_blocks(self) -> Iterator[Iterator[StructureBlock]]:
        """See :meth:`ChemicalSystemsReader.load_blocks`."""
        splits = [reader.load_blocks() for reader in self.chemical_systems_readers]
        return (chain.from_iterable([next(split) for split in splits]) for _ in range(3))
