"""A force field as a StableHLO program: parameters inside, for any number of atoms and edges.

The file is a zip of ``model.stablehlo``, made by ``jax.export``, and ``model.json``, which says
what the program knows and takes; ``docs/export.md`` has a loader that needs JAX alone. The calling
convention, in which ``n`` atoms and ``e >= min_edges`` directed edges can be of any number:

=============  =======  ======  =================================================================
argument       type     shape   meaning
=============  =======  ======  =================================================================
``positions``  float32  [n, 3]  Å
``species``    int32    [n]     place of the element in the ascending ``atomic_numbers``
``senders``    int32    [e]     atom where an edge starts
``receivers``  int32    [e]     atom where it ends
``shifts``     float32  [e, 3]  cell vectors that the receiver's image is displaced by
``cell``       float32  [3, 3]  rows are the cell vectors, Å; zeros if there is none
=============  =======  ======  =================================================================

It returns ``energies`` ([n], eV, each atom's part relative to its atomic energy), ``forces``
([n, 3], eV/Å) and ``stress`` ([3, 3], eV/Å³, positive under tension; zeros without a cell). Both
directions of each pair within the cutoff are edges; edges of zero length count nothing, and fill up
the list so that its length, for which the program is compiled, stays the same while atoms move.
"""

import json
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import jax
import jax.numpy as jnp
import jraph
import numpy as np
from jax import export

from mlip_core.models.force_field import ForceField
from mlip_core.models.predictor import ForceFieldPredictor
from mlip_core.models.registry import architecture_of
from mlip_core.typing import GraphEdges, GraphGlobals, GraphNodes
from mlip_core.utils.compiled_apart import for_any_backend
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import atomic_path
from mlip_core.utils.garbage import collector_paused

FORMAT_VERSION = 1
PLATFORMS = ("cpu", "cuda", "rocm")

_EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)

Array = Any


def export_force_field(
    force_field: ForceField,
    path: str | os.PathLike[str],
    platforms: Sequence[str] = ("cpu", "cuda"),
) -> None:
    """Write a force field as a program for JAX; the same force field gives the same bytes.

    Args:
        force_field: the model; its parameters are cast to float32.
        path: of the file.
        platforms: what the program shall run on, of ``cpu``, ``cuda`` and ``rocm``. None of them
            has to be there.

    Raises:
        UserError: if a platform is unknown.
    """
    unknown = sorted(set(platforms) - set(PLATFORMS))
    if unknown or not platforms:
        raise UserError(f"platforms: {unknown or 'none'}; choose from {', '.join(PLATFORMS)}")
    min_edges = _min_edges(force_field)
    with collector_paused(), _no_source_places(), for_any_backend():
        program = export.export(jax.jit(_prediction_function(force_field)), platforms=platforms)(
            *_argument_types(min_edges)
        )
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        description = _description(force_field, platforms, min_edges)
        _add(archive, "model.json", json.dumps(description, indent=2).encode())
        _add(archive, "model.stablehlo", bytes(program.serialize()))


@contextmanager
def _no_source_places() -> Iterator[None]:
    """Leave out of programs where in the source their operations come from: paths of a machine."""
    name = "jax_traceback_in_locations_limit"
    before = getattr(jax.config, name)
    jax.config.update(name, 0)
    try:
        yield
    finally:
        jax.config.update(name, before)


def _prediction_function(force_field: ForceField) -> Callable[..., tuple[Array, Array, Array]]:
    """The force field as a function of arrays; edges may come in any order."""
    predictor = ForceFieldPredictor(force_field.predictor.mlip_network, predict_stress=True)
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, np.float32), force_field.params)

    def predict(
        positions: Array,
        species: Array,
        senders: Array,
        receivers: Array,
        shifts: Array,
        cell: Array,
    ) -> tuple[Array, Array, Array]:
        graph = jraph.GraphsTuple(
            nodes=GraphNodes(positions=positions, species=species),
            edges=GraphEdges(shifts=shifts),
            senders=senders,
            receivers=receivers,
            globals=GraphGlobals(cell=cell[None], weight=jnp.ones(1, positions.dtype)),
            n_node=jnp.array([positions.shape[0]]),
            n_edge=jnp.array([senders.shape[0]]),
        )
        prediction: Any = predictor.apply(params, graph)
        return prediction.node_energies, prediction.forces, prediction.stress[0]

    return predict


def _argument_types(min_edges: int) -> tuple[jax.ShapeDtypeStruct, ...]:
    scope = export.SymbolicScope((f"e >= {min_edges}", "n >= 1"))
    n, e = export.symbolic_shape("n, e", scope=scope)
    return (
        jax.ShapeDtypeStruct((n, 3), np.float32),
        jax.ShapeDtypeStruct((n,), np.int32),
        jax.ShapeDtypeStruct((e,), np.int32),
        jax.ShapeDtypeStruct((e,), np.int32),
        jax.ShapeDtypeStruct((e, 3), np.float32),
        jax.ShapeDtypeStruct((3, 3), np.float32),
    )


def _min_edges(force_field: ForceField) -> int:
    """Networks tabulate pairs of species where these are fewer than the edges; so they always are.

    Which of the two a program does has to be known before it has seen a structure.
    """
    n_species = len(force_field.allowed_atomic_numbers)
    return max(n_species, getattr(force_field.config, "num_species", None) or 0) ** 2


def _description(
    force_field: ForceField, platforms: Sequence[str], min_edges: int
) -> dict[str, Any]:
    network = force_field.predictor.mlip_network
    return {
        "format": "mlip-core exported model",
        "version": FORMAT_VERSION,
        "architecture": architecture_of(type(network)),
        "atomic_numbers": sorted(force_field.allowed_atomic_numbers),
        "atomic_energies_ev": list(network.atomic_energies()),
        "cutoff_angstrom": force_field.cutoff_distance,
        "min_edges": min_edges,
        "platforms": list(platforms),
        "made_with_jax": version("jax"),
    }


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, _EPOCH_OF_ZIP)
    info.external_attr = 0o644 << 16
    archive.writestr(info, content)
