"""Simulations whose steps run on the device, episode by episode."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jraph
import numpy as np
from ase import Atoms, units

from mlip_core.data.helpers.batching import make_batch
from mlip_core.models.force_field import ForceField
from mlip_core.models.predictor import ForceFieldPredictor
from mlip_core.simulation.ase.padded_graph import padded
from mlip_core.simulation.configs.jax_md_config import JaxMDSimulationConfig
from mlip_core.simulation.enums import MDIntegrator, SimulationType
from mlip_core.simulation.jax_md.integrators import (
    Algorithm,
    FireState,
    MotionState,
    Surroundings,
    fire,
    langevin,
    start_fire,
    velocity_verlet,
)
from mlip_core.simulation.jax_md.stepping import (
    Log,
    Plan,
    Run,
    draw_noise,
    empty_log,
    make_run,
    rows_of_steps,
)
from mlip_core.simulation.restart import list_arrays, read_arrays, rebuild_list, write_arrays
from mlip_core.simulation.simulation_engine import SimulationEngine
from mlip_core.simulation.temperature_scheduling import get_temperature_schedule
from mlip_core.simulation.trajectory import Trajectory, fill, kinetic_energy, temperature
from mlip_core.simulation.utils import (
    draw_velocities,
    has_simulation_exploded,
    prepared,
    species_of,
    variables_for,
)
from mlip_core.simulation.verlet_list import Geometry, VerletList
from mlip_core.typing import GraphGlobals, GraphNodes
from mlip_core.utils.garbage import collector_paused
from mlip_core.utils.seeds import derive_seed

_KIND = "JAX"
# Noise of so many steps is drawn at once that its numbers are no more than this.
_NOISE_AT_ONCE = 1 << 22


class _Interval(NamedTuple):
    """Steps from ``start`` on, with the reference positions that displacements then refer to."""

    start: int
    positions: np.ndarray


class JaxMDSimulationEngine(SimulationEngine):
    """Langevin dynamics (BAOAB), velocity Verlet, or minimisation by FIRE, on the device.

    An episode is one compiled program, which comes back to the host only when the neighbour list
    has to be made anew. The state has the first step and each ``snapshot_interval``-th after it
    before the end; a minimisation stops when its threshold is reached, and keeps that step.
    Displacements since the last neighbour list are integrated, not positions: their digits suffice
    for long trajectories in single precision.

    Args:
        atoms: a structure, or several that are simulated side by side; any cells.
        force_field: the model.
        config: settings.
    """

    Config = JaxMDSimulationConfig

    def _initialize(self, atoms: Any, force_field: ForceField, config: Any) -> None:
        self._config: JaxMDSimulationConfig = config
        self._is_batch = not isinstance(atoms, Atoms)
        given: Sequence[Atoms] = atoms if self._is_batch else [atoms]
        self._structures = [prepared(structure, config) for structure in given]
        self._is_md = config.simulation_type is SimulationType.MD
        self._dtype = np.dtype(config.dtype)
        network = force_field.predictor.mlip_network
        allowed = force_field.allowed_atomic_numbers
        species = [species_of(structure, allowed) for structure in self._structures]
        free = np.asarray(network.atomic_energies())
        self._free_energies = np.array([free[own].sum() for own in species])
        self._species = np.concatenate(species)
        self._edges = VerletList(force_field.cutoff_distance, config.edge_capacity_multiplier)
        self._edges.build([Geometry.of(structure) for structure in self._structures])
        with self._precision():
            self._params = variables_for(force_field, self._dtype)
            self._run: Run = make_run(
                ForceFieldPredictor(network), self._algorithm(), config.snapshot_interval
            )
            self._motion = self._at_rest_or_thermal()
        n_snapshots = config.num_steps // config.snapshot_interval + 1
        self._trajectories = [
            Trajectory(structure, n_snapshots, self._is_md) for structure in self._structures
        ]

    def run(self) -> None:
        """Go on until the last step, convergence or explosion."""
        with self._precision():
            graph = self._graph()
            while self.state.step < self._config.num_steps:
                started = time.perf_counter()
                graph, goes_on = self._episode(graph)
                fill(self.state, self._trajectories, self._is_batch)
                self.state.compute_time_seconds += time.perf_counter() - started
                self._call_loggers()
                if not goes_on:
                    return

    def save_state(self, path: str | os.PathLike[str]) -> None:
        """See the base class."""
        arrays = {
            "step": np.array(self.state.step),
            "displacements": np.asarray(self._motion.displacements),
            "velocities": np.asarray(self._motion.velocities),
        }
        if self._motion.fire is not None:
            arrays |= {f"fire_{k}": np.asarray(v) for k, v in self._motion.fire._asdict().items()}
        write_arrays(path, _KIND, self._structures, arrays | list_arrays(self._edges))

    def restore_state(self, path: str | os.PathLike[str]) -> None:
        """See the base class."""
        arrays = read_arrays(path, _KIND, self._structures)
        rebuild_list(self._edges, self._structures, arrays)
        self.state.step = int(arrays["step"])
        with self._precision():
            self._motion = MotionState(
                step=jnp.array(self.state.step, jnp.int32),
                displacements=jnp.asarray(arrays["displacements"], self._dtype),
                velocities=jnp.asarray(arrays["velocities"], self._dtype),
                fire=None
                if self._is_md
                else FireState(*(jnp.asarray(arrays[f"fire_{k}"]) for k in FireState._fields)),
            )

    def _precision(self) -> AbstractContextManager[Any]:
        return jax.enable_x64(self._dtype == np.float64)

    @property
    def _n_node(self) -> int:
        return self._edges.capacity.n_node

    @property
    def _graph_of_node(self) -> np.ndarray:
        """The structure of each node, that of padding nodes after the last real one."""
        sizes = self._edges.n_atoms
        n_graphs = len(sizes)
        return np.repeat(np.arange(n_graphs + 1), [*sizes, self._n_node - sizes.sum()])

    def _by_node(self, values: Sequence[np.ndarray]) -> np.ndarray:
        return padded(np.concatenate(values), self._n_node, self._dtype.type)

    def _algorithm(self) -> Algorithm:
        config = self._config
        assert config.timestep_fs is not None
        timestep = config.timestep_fs * units.fs
        if not self._is_md:
            max_force = config.max_force_convergence_threshold or 0.0
            n_graphs = len(self._structures) + 1
            return fire(timestep, max_force, jnp.asarray(self._graph_of_node), n_graphs)
        inverse = jnp.asarray(
            self._by_node([1.0 / structure.get_masses()[:, None] for structure in self._structures])
        )
        if config.md_integrator is MDIntegrator.NVE:
            return velocity_verlet(timestep, inverse)
        assert config.friction is not None
        return langevin(timestep, config.friction, inverse)

    def _at_rest_or_thermal(self) -> MotionState:
        config = self._config
        for index, structure in enumerate(self._structures if self._is_md else ()):
            assert config.temperature_kelvin is not None
            seed = derive_seed(config.random_seed, "initial velocities", index)
            draw_velocities(structure, config.temperature_kelvin, seed)
        velocities = self._by_node([structure.get_velocities() for structure in self._structures])
        start = None
        if not self._is_md:
            assert config.timestep_fs is not None
            n_graphs = len(self._structures) + 1
            start = start_fire(config.timestep_fs * units.fs, n_graphs, self._dtype)
        return MotionState(
            step=jnp.array(0, jnp.int32),
            displacements=jnp.zeros((self._n_node, 3), self._dtype),
            velocities=jnp.asarray(velocities if self._is_md else 0 * velocities),
            fire=start,
        )

    def _graph(self) -> jraph.GraphsTuple:
        """The structures as their list refers to them: see ``PaddedGraphBuilder``."""
        return jax.device_put(
            make_batch(
                nodes=GraphNodes(
                    positions=np.zeros((self._n_node, 3), self._dtype),
                    species=padded(self._species, self._n_node, np.int32),
                ),
                edges=self._edges.padded_vectors(self._dtype),
                globals_=GraphGlobals(
                    cell=np.eye(3, dtype=self._dtype)[None],
                    weight=np.append(np.ones(len(self._structures)), 0).astype(self._dtype),
                ),
                n_node=self._edges.n_atoms,
                n_edge=self._edges.n_slots,
            )
        )

    def _episode(self, graph: jraph.GraphsTuple) -> tuple[jraph.GraphsTuple, bool]:
        """Go on to the end of the episode, and say whether there is any more to do."""
        length = self._config.steps_per_episode
        end = min((self.state.step // length + 1) * length, self._config.num_steps)
        while self.state.step < end:
            first = self.state.step
            graph, goes_on = self._stretch(graph, first, min(end, first + self._stretch_length))
            if not goes_on:
                return graph, False
        return graph, True

    @property
    def _stretch_length(self) -> int:
        """Steps whose noise is drawn, and whose snapshots are fetched, at once."""
        return min(self._config.steps_per_episode, max(1, _NOISE_AT_ONCE // (3 * self._n_node)))

    def _stretch(
        self, graph: jraph.GraphsTuple, first: int, end: int
    ) -> tuple[jraph.GraphsTuple, bool]:
        around = self._surroundings(first)
        n_rows = len(rows_of_steps(0, self._stretch_length, self._config.snapshot_interval)) + 1
        log = empty_log(n_rows, self._n_node, len(self._structures), self._dtype)
        intervals = [_Interval(first, self._reference_positions())]
        is_done = exploded = False
        while self.state.step < end and not (is_done or exploded):
            reach = np.asarray(self._edges.reach, self._dtype)
            plan = Plan(np.int32(first), np.int32(end), reach, around)
            with collector_paused():  # the first call is traced
                progress = self._run(self._params, graph, self._motion, log, plan)
            self._motion, log = progress.state, progress.log
            self.state.step = int(self._motion.step)
            is_done = bool(progress.is_done)
            exploded = self._is_md and has_simulation_exploded(self._temperatures())
            if not (progress.is_listed or exploded):
                graph = self._new_list()
                intervals.append(_Interval(self.state.step, self._reference_positions()))
        self._keep(jax.device_get(log), intervals, self.state.step + is_done)
        if exploded:
            self._warn_of_explosion()
        return graph, not (is_done or exploded)

    def _surroundings(self, first: int) -> Surroundings:
        """Temperatures and noise of a stretch; none of noise where it is not used."""
        config, n_steps = self._config, self._stretch_length
        if not self._is_md or config.md_integrator is MDIntegrator.NVE:
            nothing = jnp.zeros((n_steps, 0), self._dtype)
            return Surroundings(nothing, nothing)
        schedule = get_temperature_schedule(config.temperature_schedule_config, config.num_steps)
        temperatures = [schedule(step) for step in range(first, first + n_steps)]
        graphs, sizes = self._graph_of_node, self._edges.n_atoms
        starts = np.append(0, np.cumsum(sizes))
        places = np.minimum(np.arange(self._n_node) - starts[graphs], sizes.max() - 1)
        noise = draw_noise(
            np.uint32(derive_seed(config.random_seed, "langevin noise")),
            np.int32(first),
            np.minimum(graphs, len(sizes) - 1).astype(np.int32),
            places.astype(np.int32),
            n_steps=n_steps,
            n_graphs=len(sizes),
            n_most=int(sizes.max()),
            dtype=self._dtype,
        )
        return Surroundings(jnp.asarray(temperatures, self._dtype), noise)

    def _temperatures(self) -> np.ndarray:
        """K, of each structure between two computations of forces."""
        velocities = np.asarray(self._motion.velocities)
        return np.array(
            [
                temperature(
                    kinetic_energy(velocities[rows], structure.get_masses()[:, None]),
                    len(structure),
                )
                for rows, structure in zip(self._rows(), self._structures, strict=True)
            ]
        )

    def _rows(self) -> Iterator[slice]:
        """The nodes of each structure."""
        ends = np.cumsum(self._edges.n_atoms).tolist()
        return (slice(start, end) for start, end in zip([0, *ends], ends, strict=False))

    def _reference_positions(self) -> np.ndarray:
        return np.concatenate([geometry.positions for geometry in self._edges.references])

    def _new_list(self) -> jraph.GraphsTuple:
        """Make the list for where atoms are now, and count displacements from there."""
        moves = np.asarray(self._motion.displacements, np.float64)
        self._edges.build(
            [
                geometry._replace(positions=geometry.positions + moves[rows])
                for rows, geometry in zip(self._rows(), self._edges.references, strict=True)
            ]
        )
        self._motion = self._motion._replace(
            displacements=jnp.zeros_like(self._motion.displacements)
        )
        return self._graph()

    def _keep(self, log: Log, intervals: list[_Interval], end: int) -> None:
        """Add the snapshots of the steps from the first interval's start up to ``end``."""
        interval, first = self._config.snapshot_interval, intervals[0].start
        steps = list(rows_of_steps(first, end, interval))
        if end > self.state.step and steps[-1:] != [self.state.step]:
            steps.append(self.state.step)  # of a minimisation that is done
        starts = [one.start for one in intervals]
        which = np.searchsorted(starts, steps, side="right") - 1
        for index, rows in enumerate(self._rows()):
            references = np.array([intervals[i].positions[rows] for i in which])
            moves, velocities, forces = (values[: len(steps), rows] for values in log[:3])
            self._trajectories[index].append(
                positions=references.reshape(moves.shape) + moves,
                forces=forces,
                velocities=velocities,
                energies=log.energies[: len(steps), index].astype(np.float64)
                + self._free_energies[index],
            )
