from itertools import chain

import pytest

from mlip_core.data.helpers.data_split import (
    DataSplitProportions,
    GroupIDNotInSplitError,
    SplitProportionsInvalidError,
    split_data_by_group,
    split_data_randomly,
    split_data_randomly_by_group,
)

PROPORTIONS = DataSplitProportions(train=0.6, validation=0.2, test=0.2)


def group(item: int) -> str:
    return "none" if item % 5 == 4 else "abcdefgh"[item // 3]


def test_random_parts_hold_everything_once_and_depend_on_the_seed() -> None:
    data = list(range(10))
    parts = split_data_randomly(data, PROPORTIONS, seed=0)
    assert [len(part) for part in parts] == [6, 2, 2]
    assert sorted(chain(*parts)) == data
    assert parts == split_data_randomly(data, PROPORTIONS, seed=0)
    assert parts != split_data_randomly(data, PROPORTIONS, seed=1)


def test_groups_are_not_divided() -> None:
    data = list(range(20))
    parts = split_data_randomly_by_group(data, PROPORTIONS, 3, group, "none")
    assert sorted(chain(*parts)) == data
    groups = [{group(item) for item in part} for part in parts]
    assert groups[0] & groups[1] == groups[0] & groups[2] == groups[1] & groups[2] == set()
    assert "none" in groups[0]


def test_given_groups() -> None:
    parts = split_data_by_group([0, 4, 5, 8, 3], ({"a"}, {"b", "none"}, {"c"}), group)
    assert parts == ([0], [4, 5, 3], [8])
    with pytest.raises(GroupIDNotInSplitError, match="none"):
        split_data_by_group([0, 4], ({"a"}, set(), set()), group)


@pytest.mark.parametrize("proportions", [(0.5, 0.2, 0.2), (1.2, -0.1, -0.1)])
def test_invalid_proportions(proportions: tuple[float, float, float]) -> None:
    with pytest.raises(SplitProportionsInvalidError):
        split_data_randomly([1, 2], DataSplitProportions(*proportions), 0)
