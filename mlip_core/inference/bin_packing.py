"""Vector bin packing: items that take several kinds of room, in as few bins as is easily found."""

import math

import numpy as np


def pack_bins(loads: np.ndarray) -> list[np.ndarray]:
    """Share items out between as few bins as is easily found.

    Args:
        loads: ``[n_items, n_kinds]``, in units of what a bin takes of each kind; at most 1.

    Returns:
        the items of each bin.
    """
    fewest = max(1, math.ceil(loads.sum(axis=0).max()))
    order = np.argsort(-loads.max(axis=1), kind="stable")
    for n_bins in (fewest, fewest + 1):
        bins = _deal(order, n_bins)
        if all((loads[items].sum(axis=0) <= 1).all() for items in bins):
            return bins
    return _fill(loads)


def _deal(order: np.ndarray, n_bins: int) -> list[np.ndarray]:
    """Deal items to and fro, the largest first: bins of items of one kind come out even."""
    places = np.arange(len(order))
    rounds, seats = np.divmod(places, n_bins)
    bins = np.where(rounds % 2, n_bins - 1 - seats, seats)
    return [order[bins == number] for number in range(min(n_bins, len(order)))]


def _fill(loads: np.ndarray) -> list[np.ndarray]:
    """Fill one bin after the other, each time with the item that uses most of what is left.

    The dot product of an item with the room that is left prefers large items, and those that need
    what the bin has most of (R. Panigrahy et al., Heuristics for vector bin packing, 2011).
    """
    left = np.arange(len(loads))
    bins = []
    while len(left):
        room, chosen, candidates = np.ones(loads.shape[1]), [], left
        while len(candidates):
            best = candidates[np.argmax(loads[candidates] @ room)]
            chosen.append(best)
            room = room - loads[best]
            fits = (loads[candidates] <= room + 1e-12).all(axis=1)
            candidates = candidates[fits & (candidates != best)]
        bins.append(np.array(chosen))
        left = np.setdiff1d(left, bins[-1])
    return bins
