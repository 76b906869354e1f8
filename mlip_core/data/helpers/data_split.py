"""Lists in three parts. Datasets of a study are split by :mod:`mlip_core.data.splits` instead."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np

from mlip_core.utils.seeds import derive_seed

Item = TypeVar("Item")
Parts = tuple[list[Item], list[Item], list[Item]]


class DataSplitProportions(NamedTuple):
    """Fractions of the three parts; they add up to 1."""

    train: float
    validation: float
    test: float


class SplitProportionsInvalidError(Exception):
    """Proportions are negative or do not add up to 1."""


class GroupIDNotInSplitError(Exception):
    """An item's group is in none of the parts."""


def split_data_randomly(
    data: list[Item], proportions: DataSplitProportions, seed: int
) -> Parts[Item]:
    """Shuffle and cut; sizes are those of the proportions, rounded cumulatively.

    Raises:
        SplitProportionsInvalidError: if the proportions are negative or do not add up to 1.
    """
    ends = _ends(proportions, len(data))
    order = _shuffled(len(data), seed)
    shuffled = [data[index] for index in order]
    return shuffled[: ends[0]], shuffled[ends[0] : ends[1]], shuffled[ends[1] :]


def split_data_randomly_by_group(
    data: list[Item],
    proportions: DataSplitProportions,
    seed: int,
    get_group_id_fun: Callable[[Item], str],
    placeholder_group_id: str,
) -> Parts[Item]:
    """Shuffle groups and cut between them, so that a group is never divided.

    Args:
        data: the items; their order is kept within the parts.
        proportions: fractions of the groups, not of the items.
        seed: decides the order of the groups.
        get_group_id_fun: gives an item's group.
        placeholder_group_id: items of this "group" have none; they go into the training part.

    Raises:
        SplitProportionsInvalidError: if the proportions are negative or do not add up to 1.
    """
    groups = sorted({get_group_id_fun(item) for item in data} - {placeholder_group_id})
    train, validation, test = split_data_randomly(groups, proportions, seed)
    parts = {*train, placeholder_group_id}, set(validation), set(test)
    return split_data_by_group(data, parts, get_group_id_fun)


def split_data_by_group(
    data: list[Item],
    group_ids_by_split: tuple[set[str], set[str], set[str]],
    get_group_id_fun: Callable[[Item], str],
) -> Parts[Item]:
    """Sort items into the part that has their group; their order is kept.

    Raises:
        GroupIDNotInSplitError: if a group is in none.
    """
    ids = [get_group_id_fun(item) for item in data]
    unknown = sorted(set(ids) - set().union(*group_ids_by_split))
    if unknown:
        raise GroupIDNotInSplitError(f"groups that are in no part: {', '.join(unknown)}")
    train, validation, test = (
        [item for item, group in zip(data, ids, strict=True) if group in part]
        for part in group_ids_by_split
    )
    return train, validation, test


def _ends(proportions: DataSplitProportions, length: int) -> tuple[int, int]:
    if min(proportions) < 0 or abs(sum(proportions) - 1) > 1e-6:
        raise SplitProportionsInvalidError(
            f"proportions must not be negative and add up to 1, not {tuple(proportions)}"
        )
    train = proportions.train * length
    return round(train), round(train + proportions.validation * length)


def _shuffled(length: int, seed: int) -> list[int]:
    rng = np.random.default_rng(derive_seed(seed, "data split"))
    return rng.permutation(length).tolist()
