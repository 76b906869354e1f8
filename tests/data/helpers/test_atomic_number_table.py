import numpy as np
import pytest

from mlip_core.data.helpers import AtomicNumberTable


def test_both_directions() -> None:
    table = AtomicNumberTable([1, 6, 8])
    assert len(table) == 3
    assert [table.z_to_index(z) for z in (1, 6, 8)] == [0, 1, 2]
    assert [table.index_to_z(i) for i in range(3)] == [1, 6, 8]
    assert table.z_to_index_map(7).tolist() == [0, 0, 0, 0, 0, 0, 1, 0]
    species = table.species(np.array([8, 1, 1, 6]))
    assert species.tolist() == [2, 0, 0, 1]
    assert species.dtype == np.int32


@pytest.mark.parametrize("unknown", [0, 7, 29])
def test_unknown_element(unknown: int) -> None:
    table = AtomicNumberTable([1, 6, 8])
    with pytest.raises(KeyError, match=str(unknown)):
        table.z_to_index(unknown)
    with pytest.raises(KeyError, match=str(unknown)):
        table.species(np.array([1, unknown]))


@pytest.mark.parametrize("numbers", [[8, 1], [1, 1]])
def test_numbers_must_ascend(numbers: list[int]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        AtomicNumberTable(numbers)
