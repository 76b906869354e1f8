"""Which features a NequIP has, which of them its energy depends on, and where their weights are.

The file format holds weights for every coupling of every layer. Many of them never reach the
energy: the last layer is read through its scalars alone, so the layer before needs to give only
what couples to scalars, and so on. Such weights are part of the file and are never computed with.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mlip_core.models.equivariant.irreps import SCALAR, Irrep, natural, products
from mlip_core.models.equivariant.message_passing import Path

IrrepsList = tuple[tuple[int, Irrep], ...]


@dataclass(frozen=True, eq=False)
class LayerLayout:
    """Features and weights of one layer.

    Columns are numbers of channels within one irrep, or of radial weights, in the file's order.

    Attributes:
        irreps_in: input features, equal neighbours merged.
        irreps_up: what the first linear layer of the file gives, whether the input has it or not.
        irreps_messages: the sums of the messages.
        irreps_gated: scalars, gates and gated features, in the file's order.
        features_in: the input irreps that matter.
        features_out: the output irreps that matter.
        paths: the couplings that matter.
        num_radial: radial weights of the file.
        radial_columns: the radial weights of ``paths``, in their order.
        message_columns: for each output irrep, the message channels in the order of ``paths``.
        gated_columns: for each output irrep, the channels to compute: of the even scalars first the
            features, then the gates of the irreps of ``features_out`` in their order.
    """

    irreps_in: IrrepsList
    irreps_up: IrrepsList
    irreps_messages: IrrepsList
    irreps_gated: IrrepsList
    features_in: tuple[Irrep, ...]
    features_out: tuple[Irrep, ...]
    paths: tuple[Path, ...]
    num_radial: int
    radial_columns: np.ndarray
    message_columns: dict[Irrep, np.ndarray]
    gated_columns: dict[Irrep, np.ndarray]


class _Coupling(NamedTuple):
    """One coupling of one entry of a layer's irreps with the harmonics of a degree."""

    multiplicity: int
    path: Path


def layer_layouts(node_irreps: IrrepsList, l_max: int, num_layers: int) -> list[LayerLayout]:
    """The layouts of all layers of a network."""
    existing = [{SCALAR}]
    for _ in range(num_layers):
        existing.append(_reachable(node_irreps, l_max, existing[-1]))
    needed = [{SCALAR}]
    for inputs in reversed(existing[:-1]):
        needed.append(_contributing(inputs, l_max, needed[-1]))
    needed.reverse()
    scalars_first = _scalars(node_irreps) + _others(node_irreps)
    return [
        _layout(
            irreps_up=node_irreps if index == 0 else scalars_first,
            node_irreps=scalars_first,
            l_max=l_max,
            existing=existing[index],
            features_in=needed[index],
            features_out=needed[index + 1],
        )
        for index in range(num_layers)
    ]


def merged(irreps: Sequence[tuple[int, Irrep]]) -> IrrepsList:
    """Entries with the same irrep as the one before added to it."""
    result: list[tuple[int, Irrep]] = []
    for multiplicity, irrep in irreps:
        if result and result[-1][1] == irrep:
            multiplicity += result.pop()[0]
        result.append((multiplicity, irrep))
    return tuple(result)


def existing_irreps(node_irreps: IrrepsList, l_max: int, num_layers: int) -> IrrepsList:
    """The output features of the last layer, equal neighbours merged."""
    irreps = {SCALAR}
    for _ in range(num_layers):
        irreps = _reachable(node_irreps, l_max, irreps)
    return _present(_scalars(node_irreps) + _others(node_irreps), irreps)


def _layout(
    irreps_up: IrrepsList,
    node_irreps: IrrepsList,
    l_max: int,
    existing: Collection[Irrep],
    features_in: Collection[Irrep],
    features_out: Collection[Irrep],
) -> LayerLayout:
    couplings = list(_couplings(irreps_up, l_max, {irrep for _, irrep in node_irreps}))
    order_in = [irrep for irrep in _distinct(irreps_up) if irrep in features_in]
    order_out = [irrep for irrep in _distinct(node_irreps) if irrep in features_out]
    own = _grouped(couplings, order_in, order_out)
    paths = tuple(dict.fromkeys(couplings[index].path for index in own))
    present = [index for index, c in enumerate(couplings) if c.path.irrep_in in existing]
    return LayerLayout(
        irreps_in=_present(irreps_up, existing),
        irreps_up=irreps_up,
        irreps_messages=_message_irreps([couplings[index] for index in present]),
        irreps_gated=_gated_irreps(node_irreps),
        features_in=tuple(order_in),
        features_out=tuple(order_out),
        paths=paths,
        num_radial=sum(coupling.multiplicity for coupling in couplings),
        radial_columns=_columns(couplings, range(len(couplings)), own),
        message_columns={
            irrep: _columns(
                couplings,
                [index for index in present if couplings[index].path.irrep_out == irrep],
                [index for index in own if couplings[index].path.irrep_out == irrep],
            )
            for irrep in order_out
        },
        gated_columns=_gated_columns(node_irreps, order_out),
    )


def _reachable(node_irreps: IrrepsList, l_max: int, inputs: Collection[Irrep]) -> set[Irrep]:
    return {
        irrep
        for _, irrep in node_irreps
        if any(_degrees(irrep_in, irrep, l_max) for irrep_in in inputs)
    }


def _contributing(inputs: Collection[Irrep], l_max: int, outputs: Collection[Irrep]) -> set[Irrep]:
    return {irrep for irrep in inputs if any(_degrees(irrep, output, l_max) for output in outputs)}


def _degrees(irrep_in: Irrep, irrep_out: Irrep, l_max: int) -> list[int]:
    """The degrees of harmonics that couple one irrep to another."""
    return [
        degree for degree in range(l_max + 1) if irrep_out in products(irrep_in, natural(degree))
    ]


def _couplings(
    irreps_up: IrrepsList, l_max: int, targets: Collection[Irrep]
) -> Iterator[_Coupling]:
    """All couplings, in the order of the file's radial weights."""
    for multiplicity, irrep_in in irreps_up:
        for degree in range(l_max + 1):
            for irrep_out in products(irrep_in, natural(degree)):
                if irrep_out in targets:
                    yield _Coupling(multiplicity, Path(irrep_in, degree, irrep_out))


def _grouped(
    couplings: Sequence[_Coupling], order_in: Sequence[Irrep], order_out: Sequence[Irrep]
) -> list[int]:
    """The couplings between some irreps, those with the same path next to each other."""
    paths = [
        Path(irrep_in, degree, irrep_out)
        for irrep_in in order_in
        for degree in range(1 + max((c.path.degree for c in couplings), default=0))
        for irrep_out in order_out
    ]
    return [i for path in paths for i, c in enumerate(couplings) if c.path == path]


def _columns(
    couplings: Sequence[_Coupling], stored: Sequence[int], wanted: Sequence[int]
) -> np.ndarray:
    """Where the channels of the ``wanted`` couplings are among those of the ``stored`` ones."""
    offset, columns = 0, {}
    for index in stored:
        columns[index] = np.arange(offset, offset + couplings[index].multiplicity)
        offset += couplings[index].multiplicity
    return np.concatenate([columns[index] for index in wanted])


def _message_irreps(couplings: Sequence[_Coupling]) -> IrrepsList:
    multiplicities: dict[Irrep, int] = {}
    for multiplicity, path in couplings:
        multiplicities[path.irrep_out] = multiplicities.get(path.irrep_out, 0) + multiplicity
    natural_first = sorted(
        multiplicities, key=lambda irrep: (irrep.degree, irrep != natural(irrep.degree))
    )
    return tuple((multiplicities[irrep], irrep) for irrep in natural_first)


def _gated_irreps(node_irreps: IrrepsList) -> IrrepsList:
    gates = tuple((multiplicity, SCALAR) for multiplicity, _ in _others(node_irreps))
    return _scalars(node_irreps) + gates + _others(node_irreps)


def _gated_columns(
    node_irreps: IrrepsList, features_out: Sequence[Irrep]
) -> dict[Irrep, np.ndarray]:
    columns = {irrep: np.arange(_multiplicity(node_irreps, irrep)) for irrep in features_out}
    gates = np.repeat(
        np.arange(len(_others(node_irreps))),
        [multiplicity for multiplicity, _ in _others(node_irreps)],
    )
    owners = [irrep for _, irrep in _others(node_irreps)]
    chosen = [
        columns[SCALAR].size + index
        for irrep in features_out
        for index, gate in enumerate(gates)
        if owners[gate] == irrep
    ]
    columns[SCALAR] = np.concatenate([columns[SCALAR], np.array(chosen, int)])
    return columns


def _multiplicity(irreps: IrrepsList, irrep: Irrep) -> int:
    return sum(multiplicity for multiplicity, other in irreps if other == irrep)


def _scalars(irreps: IrrepsList) -> IrrepsList:
    return tuple(entry for entry in irreps if entry[1].degree == 0)


def _others(irreps: IrrepsList) -> IrrepsList:
    return tuple(entry for entry in irreps if entry[1].degree > 0)


def _present(irreps: IrrepsList, existing: Collection[Irrep]) -> IrrepsList:
    return merged([entry for entry in irreps if entry[1] in existing])


def _distinct(irreps: IrrepsList) -> list[Irrep]:
    return list(dict.fromkeys(irrep for _, irrep in irreps))
