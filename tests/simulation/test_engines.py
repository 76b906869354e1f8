"""Both engines: the same physics, the same rules."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from scipy import stats

from mlip_core.simulation import SimulationType
from mlip_core.simulation.ase import ASESimulationEngine, ForceFieldCalculator
from mlip_core.simulation.configs import TemperatureScheduleConfig
from mlip_core.simulation.enums import MDIntegrator
from mlip_core.simulation.jax_md import JaxMDSimulationEngine
from mlip_core.simulation.state import SimulationState
from mlip_core.utils.errors import UserError

ENGINES = [ASESimulationEngine, JaxMDSimulationEngine]
NVE = {"md_integrator": MDIntegrator.NVE}


def crystal() -> Atoms:
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.05, seed=1)
    return atoms


def simulate(engine_class, atoms, force_field, **settings) -> SimulationState:
    engine = engine_class(atoms, force_field, engine_class.Config(**settings))
    engine.run()
    return engine.state


def scattered_atoms() -> Atoms:
    """150 hydrogen atoms that do not know of one another."""
    grid = np.stack(np.meshgrid(range(6), range(5), range(5)), axis=-1).reshape(-1, 3)
    return Atoms(f"H{len(grid)}", positions=200.0 * grid)


@pytest.fixture(scope="module")
def constant_energy_runs(tiny_force_field):
    settings = NVE | {"num_steps": 200, "temperature_kelvin": 600.0}
    return [simulate(engine, crystal(), tiny_force_field, **settings) for engine in ENGINES]


def test_engines_go_the_same_way(constant_energy_runs):
    ase, jax = constant_energy_runs
    assert len(ase.positions) == 201  # the first and the last step
    assert len(jax.positions) == 200  # all but the last
    for name in ("positions", "velocities", "forces", "temperature"):
        ours, theirs = getattr(jax, name), getattr(ase, name)[:-1]
        np.testing.assert_allclose(ours, theirs, atol=2e-5 * np.abs(theirs).max(), err_msg=name)


def test_constant_energy(constant_energy_runs):
    for state in constant_energy_runs:
        total = state.potential_energy + state.kinetic_energy
        # Half of the kinetic energy went elsewhere and back; of that, the sum sees little.
        assert np.ptp(state.kinetic_energy) > 0.05
        assert np.ptp(total) < 0.01 * np.ptp(state.kinetic_energy)
        time = np.arange(len(total))
        drift = np.polyfit(time, total, 1)[0] * len(total) / len(crystal())
        assert abs(drift) < 1e-4  # eV/atom


def test_forces_and_energies_are_the_calculators(constant_energy_runs, tiny_force_field):
    atoms = crystal()
    atoms.calc = ForceFieldCalculator(tiny_force_field)
    for state in constant_energy_runs:
        atoms.positions = state.positions[130]
        np.testing.assert_allclose(state.forces[130], atoms.get_forces(), atol=1e-5)
        assert state.potential_energy[130] == pytest.approx(atoms.get_potential_energy(), abs=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_langevin_samples_the_temperature(engine, tiny_force_field):
    """Of free atoms: each sample is independent, so bounds follow from its size alone."""
    settings = {"num_steps": 2000, "snapshot_interval": 50, "temperature_kelvin": 500.0}
    state = simulate(engine, scattered_atoms(), tiny_force_field, friction=0.5, **settings)
    velocities = state.velocities[5:]
    mass = scattered_atoms().get_masses()[0]
    scaled = (velocities * np.sqrt(mass / (units.kB * 500.0))).ravel()
    assert stats.kstest(scaled, "norm").pvalue > 1e-3
    mean = (scaled**2).mean()
    assert abs(mean - 1) < 4 * np.sqrt(2 / len(scaled))
    by_snapshot = (scaled.reshape(len(velocities), -1) ** 2).sum(axis=1)
    n_free = scaled.size // len(velocities)
    spread = (len(velocities) - 1) * by_snapshot.var(ddof=1) / (2 * n_free)
    assert 1e-4 < stats.chi2.cdf(spread, len(velocities) - 1) < 1 - 1e-4
    np.testing.assert_allclose(state.temperature[5:], 500.0 * by_snapshot / n_free, rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_temperature_follows_its_schedule(engine, tiny_force_field):
    schedule = TemperatureScheduleConfig(
        method="linear", start_temperature=900.0, end_temperature=100.0
    )
    state = simulate(
        engine,
        scattered_atoms(),
        tiny_force_field,
        num_steps=1000,
        snapshot_interval=100,
        temperature_schedule_config=schedule,
        friction=2.0,
    )
    steps = np.arange(2, 10)
    expected = 900.0 - 0.8 * 100 * steps
    error = 4 * np.sqrt(2 / (3 * len(scattered_atoms())))
    np.testing.assert_allclose(state.temperature[2:10], expected, rtol=error + 0.05)


@pytest.mark.parametrize("engine", ENGINES)
def test_minimisation_reaches_its_threshold(engine, tiny_force_field):
    atoms = crystal()
    atoms.rattle(0.1, seed=3)
    state = simulate(
        engine,
        atoms,
        tiny_force_field,
        simulation_type=SimulationType.MINIMIZATION,
        num_steps=500,
        snapshot_interval=10,
        temperature_kelvin=None,
        max_force_convergence_threshold=1e-3,
    )
    longest = np.linalg.norm(state.forces, axis=2).max(axis=1)
    assert longest[0] > 1e-2
    assert longest[-1] < 1e-3
    assert state.step < 500
    assert len(state.positions) == -(-state.step // 10) + 1
    assert state.potential_energy[-1] < state.potential_energy[0]
    assert state.velocities is state.temperature is state.kinetic_energy is None


@pytest.mark.parametrize("engine", ENGINES)
def test_a_restart_is_bit_for_bit(engine, tiny_force_field, tmp_path):
    settings = {"temperature_kelvin": 900.0, "friction": 0.05}
    whole = engine(crystal(), tiny_force_field, engine.Config(num_steps=60, **settings))
    whole.attach_logger(
        lambda state: whole.save_state(tmp_path / "state.npz") if state.step == 30 else None
    )
    whole.run()
    rest = engine(crystal(), tiny_force_field, engine.Config(num_steps=60, **settings))
    rest.restore_state(tmp_path / "state.npz")
    assert rest.state.step == 30
    rest.run()
    assert rest.state.step == 60
    for name in ("positions", "velocities", "forces", "potential_energy"):
        np.testing.assert_array_equal(getattr(rest.state, name), getattr(whole.state, name)[30:])


@pytest.mark.parametrize("engine", ENGINES)
def test_state_of_another_structure(engine, tiny_force_field, tmp_path):
    one = engine(crystal(), tiny_force_field, engine.Config(num_steps=10))
    one.save_state(tmp_path / "state.npz")
    other = engine(molecule("H2O"), tiny_force_field, engine.Config(num_steps=10))
    with pytest.raises(UserError, match=r"state.npz: the state of other structures"):
        other.restore_state(tmp_path / "state.npz")
    with pytest.raises(UserError, match="no such file"):
        other.restore_state(tmp_path / "none.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match="not the state of a simulation"):
        other.restore_state(tmp_path / "broken.npz")


def test_loggers_are_called_as_in_the_01_api(tiny_force_field):
    def calls(engine_class, **settings):
        engine = engine_class(
            molecule("H2O"), tiny_force_field, engine_class.Config(num_steps=20, **settings)
        )
        found: list[tuple[int, int]] = []
        engine.attach_logger(lambda state: found.append((state.step, len(state.temperature))))
        engine.run()
        return found

    assert calls(JaxMDSimulationEngine, num_episodes=2, snapshot_interval=5) == [(10, 2), (20, 4)]
    assert calls(ASESimulationEngine, log_interval=10, snapshot_interval=5) == [
        (0, 1),
        (10, 3),
        (20, 5),
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_velocities_of_the_structure_are_kept(engine, tiny_force_field):
    atoms = molecule("H2O")
    atoms.set_velocities(np.full((3, 3), 0.01))
    state = simulate(engine, atoms, tiny_force_field, num_steps=10)
    np.testing.assert_allclose(state.velocities[0], 0.01, rtol=1e-6)
    np.testing.assert_array_equal(atoms.positions, molecule("H2O").positions)


@pytest.mark.parametrize("engine", ENGINES)
def test_explosion_ends_a_simulation(engine, tiny_force_field, caplog):
    atoms = molecule("H2O")
    atoms.set_velocities(np.array([[0.0, 0, 0], [0, 0, 0], [0, 0, 1e4]]))
    state = simulate(engine, atoms, tiny_force_field, num_steps=100, **NVE)
    assert state.step < 100
    assert len(state.temperature) >= 1
    assert "exploded" in caplog.text


@pytest.mark.parametrize("engine", ENGINES)
def test_mistakes(engine, tiny_force_field):
    with pytest.raises(ValueError, match="Single atom"):
        engine(Atoms("O"), tiny_force_field, engine.Config(num_steps=10))
    with pytest.raises(UserError, match=r"knows no atomic number \[6\]"):
        engine(molecule("CH4"), tiny_force_field, engine.Config(num_steps=10))


def test_box_of_the_config(tiny_force_field):
    atoms = molecule("H2O")
    boxed = ASESimulationEngine.Config(num_steps=10, box=[4.0, 5.0, 6.0])
    engine = ASESimulationEngine(atoms, tiny_force_field, boxed)
    assert engine._atoms.pbc.all()
    np.testing.assert_array_equal(engine._atoms.cell.lengths(), [4.0, 5.0, 6.0])
    assert not atoms.pbc.any()


class TestBatches:
    """Several structures side by side go as each alone."""

    STRUCTURES = (molecule("H2O2"), crystal(), molecule("H2O"))

    @pytest.mark.parametrize(
        "settings",
        [
            {"md_integrator": MDIntegrator.NVE, "temperature_kelvin": None},
            {"simulation_type": SimulationType.MINIMIZATION, "timestep_fs": 0.3},
        ],
    )
    def test_as_each_alone(self, settings, tiny_force_field):
        structures = [atoms.copy() for atoms in self.STRUCTURES]
        if "md_integrator" in settings:
            settings = settings | {"temperature_kelvin": 300.0}
            for seed, atoms in enumerate(structures):
                rng = np.random.default_rng(seed)
                atoms.set_velocities(0.02 * rng.normal(size=(len(atoms), 3)))
        settings = settings | {"num_steps": 40, "num_episodes": 2}
        together = simulate(JaxMDSimulationEngine, structures, tiny_force_field, **settings)
        assert len(together.positions) == 3
        for index in (0, 1):
            alone = simulate(JaxMDSimulationEngine, structures[index], tiny_force_field, **settings)
            np.testing.assert_allclose(together.positions[index], alone.positions, atol=2e-5)
            np.testing.assert_allclose(together.forces[index], alone.forces, atol=2e-4)
            np.testing.assert_allclose(
                together.potential_energy[index], alone.potential_energy, atol=1e-4
            )

    def test_noise_is_each_structures_own(self, tiny_force_field):
        settings = {"num_steps": 30, "num_episodes": 1, "temperature_kelvin": 300.0}
        twins = [molecule("H2O2"), crystal(), molecule("H2O2")]
        together = simulate(JaxMDSimulationEngine, twins, tiny_force_field, **settings)
        alone = simulate(JaxMDSimulationEngine, twins[0], tiny_force_field, **settings)
        np.testing.assert_allclose(together.positions[0], alone.positions, atol=2e-5)
        assert np.abs(together.positions[2] - together.positions[0]).max() > 0.01


def test_no_compilation_after_the_start(tiny_force_field, compilations):
    """Neither while atoms move nor for new lists of neighbours."""
    engine = JaxMDSimulationEngine(
        bulk("Si", cubic=True).repeat(2),
        tiny_force_field,
        JaxMDSimulationEngine.Config(
            num_steps=300, num_episodes=15, temperature_kelvin=3000.0, friction=0.5
        ),
    )
    counts: list[int] = []
    lists: set[bytes] = set()

    def note(_: SimulationState) -> None:
        counts.append(len(compilations))
        lists.add(engine._edges.references[0].positions.tobytes())

    engine.attach_logger(note)
    engine.run()
    assert len(lists) > 5
    assert counts[-1] == counts[0] > 0
