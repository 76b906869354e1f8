"""Many steps as one program, which ends early when the neighbour list has to be made anew."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jraph
from jax import lax

from mlip_core.models.force_field import Parameters
from mlip_core.models.predictor import ForceFieldPredictor
from mlip_core.simulation.jax_md.integrators import Algorithm, MotionState, Surroundings

Array = Any


class Log(NamedTuple):
    """Snapshots of some consecutive steps, and a last row that means nothing.

    Attributes:
        displacements: ``[n_rows + 1, n_nodes, 3]``, Å, from the reference positions of then.
        velocities: ``[n_rows + 1, n_nodes, 3]``, √(eV/u).
        forces: ``[n_rows + 1, n_nodes, 3]``, eV/Å.
        energies: ``[n_rows + 1, n_graphs]``, eV, without those of free atoms.
    """

    displacements: Array
    velocities: Array
    forces: Array
    energies: Array


class Plan(NamedTuple):
    """What is to be done.

    Attributes:
        first: the step of the first row of ``around``.
        end: the step that is not begun any more.
        reach: Å, that atoms may move before there has to be a new list.
        around: temperature and noise of the steps from ``first`` on.
    """

    first: Array
    end: Array
    reach: Array
    around: Surroundings


class Progress(NamedTuple):
    """How far the program came.

    Attributes:
        state: of the motion.
        log: with the snapshots since the program's start.
        is_listed: whether the neighbour list holds for the present positions.
        is_done: whether the algorithm is done.
    """

    state: MotionState
    log: Log
    is_listed: Array
    is_done: Array


Run = Callable[[Parameters, jraph.GraphsTuple, MotionState, Log, Plan], Progress]


def empty_log(n_rows: int, n_nodes: int, n_graphs: int, dtype: Any) -> Log:
    """A log without snapshots."""
    vectors = (n_rows + 1, n_nodes, 3)
    return Log(
        displacements=jnp.zeros(vectors, dtype),
        velocities=jnp.zeros(vectors, dtype),
        forces=jnp.zeros(vectors, dtype),
        energies=jnp.zeros((n_rows + 1, n_graphs), dtype),
    )


def make_run(predictor: ForceFieldPredictor, algorithm: Algorithm, interval: int) -> Run:
    """The program, compiled once for each shape.

    Args:
        predictor: the model.
        algorithm: how atoms are moved.
        interval: each so-many-th step is a snapshot, and the last one of a minimisation.
    """

    @partial(jax.jit, donate_argnames=("state", "log"))
    def run(
        params: Parameters, graph: jraph.GraphsTuple, state: MotionState, log: Log, plan: Plan
    ) -> Progress:
        def go_on(progress: Progress) -> Array:
            is_before_end = progress.state.step < plan.end
            return is_before_end & progress.is_listed & ~progress.is_done

        def advance(progress: Progress) -> Progress:
            nodes = graph.nodes._replace(positions=progress.state.displacements)
            prediction: Any = predictor.apply(params, graph._replace(nodes=nodes))
            forces = prediction.forces
            state = algorithm.finish(progress.state, forces)
            is_done = algorithm.is_done(state)
            row = _row(state.step, plan.first, interval, is_done, len(progress.log.energies))
            log = _written(progress.log, row, state, forces, prediction.interaction_energy)
            around = jax.tree.map(lambda x: x[state.step - plan.first], plan.around)
            after = algorithm.begin(state, forces, around)
            after = jax.tree.map(lambda new, old: jnp.where(is_done, old, new), after, state)
            squares = (after.displacements**2).sum(axis=1)
            return Progress(after, log, squares.max() <= plan.reach**2, is_done)

        start = Progress(state, log, jnp.array(True), jnp.array(False))
        return lax.while_loop(go_on, advance, start)

    return run


@partial(jax.jit, static_argnames=("n_steps", "n_graphs", "n_most", "dtype"))
def draw_noise(
    seed: Array,
    first: Array,
    graph_of_node: Array,
    place_in_graph: Array,
    *,
    n_steps: int,
    n_graphs: int,
    n_most: int,
    dtype: Any,
) -> Array:
    """Standard normal numbers ``[n_steps, n_nodes, 3]``.

    Those of an atom depend on the seed, the step, the number of its structure and its place therein
    alone: not on how steps are divided, nor on what else is simulated.
    """
    steps = first + jnp.arange(n_steps)
    keys = jax.vmap(partial(jax.random.fold_in, jax.random.key(seed)))(jnp.arange(n_graphs))

    def of_step(step: Array) -> Array:
        def of_graph(key: Array) -> Array:
            return jax.random.normal(jax.random.fold_in(key, step), (n_most, 3), dtype)

        return jax.vmap(of_graph)(keys)[graph_of_node, place_in_graph]

    return jax.vmap(of_step)(steps)


def rows_of_steps(first: int, end: int, interval: int) -> range:
    """The snapshots among the steps from ``first`` up to but not including ``end``."""
    return range(-(-first // interval) * interval, end, interval)


def _row(step: Array, first: Array, interval: int, is_done: Array, n_rows: int) -> Array:
    """Where a snapshot goes; the last row is for all that is none."""
    own = -(-step // interval) + (-first // interval)
    return jnp.where((step % interval == 0) | is_done, own, n_rows - 1)


def _written(log: Log, row: Array, state: MotionState, forces: Array, energies: Array) -> Log:
    values = Log(state.displacements, state.velocities, forces, energies[: log.energies.shape[1]])
    return jax.tree.map(lambda rows, value: rows.at[row].set(value), log, values)
