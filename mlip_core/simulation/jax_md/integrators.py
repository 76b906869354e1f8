"""Integrators and a minimiser as pairs of functions around the computation of forces.

A step begins and ends between two computations of forces: ``finish`` uses forces to complete the
step that led to the present positions, ``begin`` uses the same forces to go on to the next ones.
Between the two, positions, velocities and forces belong to the same time. Several structures are
moved at once, their atoms one after the other.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ase import units

Array = Any


class FireState(NamedTuple):
    """What FIRE adapts for each structure, all ``[n_graphs]``.

    Attributes:
        time_step: in ASE's unit.
        mixing: how much velocities are turned towards forces.
        n_downhill: steps since the energy last rose.
        is_converged: whether the structure is at rest for good.
    """

    time_step: Array
    mixing: Array
    n_downhill: Array
    is_converged: Array


class MotionState(NamedTuple):
    """What changes from step to step.

    Attributes:
        step: number of steps begun.
        displacements: ``[n_nodes, 3]``, Å, from the reference positions of the neighbour list.
        velocities: ``[n_nodes, 3]``, √(eV/u).
        fire: of a minimisation.
    """

    step: Array
    displacements: Array
    velocities: Array
    fire: FireState | None = None


class Surroundings(NamedTuple):
    """What a step depends on from outside.

    Attributes:
        temperature: K, of the thermostat.
        noise: ``[n_nodes, 3]``, standard normal numbers.
    """

    temperature: Array
    noise: Array


class Algorithm(NamedTuple):
    """A way to move atoms.

    Attributes:
        finish: completes a step: state and forces ``[n_nodes, 3]`` to state.
        begin: begins the next one: state, forces and surroundings to state.
        is_done: whether a complete step was the last one.
    """

    finish: Callable[[MotionState, Array], MotionState]
    begin: Callable[[MotionState, Array, Surroundings], MotionState]
    is_done: Callable[[MotionState], Array]


def langevin(time_step: float, friction: float, inverse_masses: Array) -> Algorithm:
    """Langevin dynamics by the splitting BAOAB.

    B. Leimkuhler and C. Matthews, Appl. Math. Res. Express 2013, 34 (2013), eq. 7.

    Args:
        time_step: in ASE's unit.
        friction: in its inverse.
        inverse_masses: ``[n_nodes, 1]``, 1/u; zero for what is not to move.
    """
    kept = jnp.exp(-friction * time_step)
    renewed = jnp.sqrt(-jnp.expm1(-2.0 * friction * time_step))

    def begin(state: MotionState, forces: Array, around: Surroundings) -> MotionState:
        velocities = state.velocities + 0.5 * time_step * inverse_masses * forces
        displacements = state.displacements + 0.5 * time_step * velocities
        thermal = jnp.sqrt(units.kB * around.temperature * inverse_masses) * around.noise
        velocities = (kept * velocities + renewed * thermal).astype(velocities.dtype)
        displacements = displacements + 0.5 * time_step * velocities
        return state._replace(
            step=state.step + 1, displacements=displacements, velocities=velocities
        )

    return Algorithm(_half_kick(time_step, inverse_masses), begin, _never)


def velocity_verlet(time_step: float, inverse_masses: Array) -> Algorithm:
    """Dynamics at constant energy; arguments as of :func:`langevin`."""

    def begin(state: MotionState, forces: Array, _: Surroundings) -> MotionState:
        velocities = state.velocities + 0.5 * time_step * inverse_masses * forces
        displacements = state.displacements + time_step * velocities
        return state._replace(
            step=state.step + 1, displacements=displacements, velocities=velocities
        )

    return Algorithm(_half_kick(time_step, inverse_masses), begin, _never)


# The values of E. Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006), table I.
_MIN_DOWNHILL = 5
_FASTER, _SLOWER = 1.1, 0.5
_MIXING, _LESS_MIXING = 0.1, 0.99
_MOST_FASTER = 10.0
# Å, that a structure's atoms together move in a step at most.
_LONGEST_STEP = 0.2


def start_fire(time_step: float, n_graphs: int, dtype: Any) -> FireState:
    """FIRE before its first step."""
    return FireState(
        time_step=jnp.full(n_graphs, time_step, dtype),
        mixing=jnp.full(n_graphs, _MIXING, dtype),
        n_downhill=jnp.zeros(n_graphs, jnp.int32),
        is_converged=jnp.zeros(n_graphs, bool),
    )


def fire(time_step: float, max_force: float, graph_of_node: Array, n_graphs: int) -> Algorithm:
    """Minimisation by the fast inertial relaxation engine.

    E. Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006), with semi-implicit Euler steps as in
    J. Guénolé et al., Comput. Mater. Sci. 175, 109584 (2020), and all masses 1 u.

    Args:
        time_step: the first one, in ASE's unit.
        max_force: eV/Å; a structure whose longest force is shorter is converged. 0 for never.
        graph_of_node: ``[n_nodes]``, the structure of each atom.
        n_graphs: number of structures.
    """

    def by_graph(x: Array) -> Array:
        return jax.ops.segment_sum(x.sum(axis=1), graph_of_node, n_graphs)

    def finish(state: MotionState, forces: Array) -> MotionState:
        assert state.fire is not None
        squares = (forces * forces).sum(axis=1)
        longest = jax.ops.segment_max(squares, graph_of_node, n_graphs)
        is_converged = state.fire.is_converged | (longest < max_force**2)
        return state._replace(fire=state.fire._replace(is_converged=is_converged))

    def begin(state: MotionState, forces: Array, _: Surroundings) -> MotionState:
        assert state.fire is not None
        fire = _adapted(state.fire, by_graph(forces * state.velocities), time_step)
        is_downhill = fire.n_downhill > 0
        speed = jnp.sqrt(by_graph(state.velocities**2))
        strength = jnp.sqrt(by_graph(forces**2))
        turn = fire.mixing * speed / jnp.where(strength > 0, strength, 1)
        kept = jnp.where(is_downhill, 1 - fire.mixing, 0)
        pulled = jnp.where(is_downhill, turn, 0) + fire.time_step
        moving = ~fire.is_converged
        velocities = (kept * moving)[graph_of_node, None] * state.velocities + (pulled * moving)[
            graph_of_node, None
        ] * forces
        moves = fire.time_step[graph_of_node, None] * velocities
        length = jnp.sqrt(by_graph(moves**2))
        shortened = _LONGEST_STEP / jnp.maximum(length, _LONGEST_STEP)
        return MotionState(
            step=state.step + 1,
            displacements=state.displacements + shortened[graph_of_node, None] * moves,
            velocities=velocities,
            fire=fire,
        )

    def is_done(state: MotionState) -> Array:
        assert state.fire is not None
        return state.fire.is_converged.all()

    return Algorithm(finish, begin, is_done)


def _adapted(fire: FireState, power: Array, first_time_step: float) -> FireState:
    is_downhill = power > 0
    n_downhill = jnp.where(is_downhill, fire.n_downhill + 1, 0)
    is_long_downhill = n_downhill > _MIN_DOWNHILL
    faster = jnp.minimum(fire.time_step * _FASTER, _MOST_FASTER * first_time_step)
    time_step = jnp.where(is_long_downhill, faster, fire.time_step)
    mixing = jnp.where(is_long_downhill, fire.mixing * _LESS_MIXING, fire.mixing)
    has_started = jnp.where(fire.n_downhill + power != 0, _SLOWER, 1.0)
    return fire._replace(
        time_step=jnp.where(is_downhill, time_step, time_step * has_started).astype(
            fire.time_step.dtype
        ),
        mixing=jnp.where(is_downhill, mixing, _MIXING).astype(fire.mixing.dtype),
        n_downhill=n_downhill,
    )


def _half_kick(
    time_step: float, inverse_masses: Array
) -> Callable[[MotionState, Array], MotionState]:
    def finish(state: MotionState, forces: Array) -> MotionState:
        # Before the first step velocities are those of the present positions already.
        duration = jnp.where(state.step == 0, 0.0, 0.5 * time_step).astype(forces.dtype)
        velocities = state.velocities + duration * inverse_masses * forces
        return state._replace(velocities=velocities)

    return finish


def _never(_: MotionState) -> Array:
    return jnp.array(False)
