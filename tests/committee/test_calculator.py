"""A committee's mean and spread are those of its members, asked one by one."""

from pathlib import Path

import jax
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from mlip_core import CommitteeCalculator, ForceFieldCalculator
from mlip_core.committee import CommitteeValues, iterate_committee, load_committee
from mlip_core.data.frames import frame_from_atoms
from mlip_core.models import ForceField
from mlip_core.models.model_io import load_model, save_model_to_zip
from mlip_core.utils.errors import UserError

ZIPS = Path(__file__).parents[1] / "golden" / "zips"  # they know H, C, O; cutoff 3 Å


def with_noise(force_field: ForceField, seed: int) -> ForceField:
    """The model with every parameter changed by about a tenth."""
    rng = np.random.default_rng(seed)
    params = jax.tree.map(
        lambda x: np.float32(x * (1 + 0.1 * rng.normal(size=x.shape))), force_field.params
    )
    return ForceField(force_field.predictor, params)


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three that differ in parameters only and one of another architecture, as zips."""
    directory = tmp_path_factory.mktemp("members")
    paths = [directory / f"{seed}.zip" for seed in range(3)]
    source = load_model(ZIPS / "mace.zip")
    for seed, path in enumerate(paths):
        save_model_to_zip(path, with_noise(source, seed))
    return [*paths, ZIPS / "nequip.zip"]


def structures() -> list[Atoms]:
    crystal = Atoms(
        "OCH", [[0, 0, 0], [1.2, 0.9, 0.4], [0.3, 1.9, 1.7]], cell=np.diag([2.9, 3, 3.1]), pbc=True
    )
    ethanol = molecule("CH3CH2OH")
    return [ethanol, crystal]


@pytest.fixture(scope="module")
def calculator(members: list[Path]) -> CommitteeCalculator:
    return CommitteeCalculator(members)


def test_mean_and_spread_are_those_of_the_members(
    members: list[Path], calculator: CommitteeCalculator
) -> None:
    of_members = [ForceFieldCalculator(path) for path in members]
    for atoms in structures():
        expected: dict[str, list[np.ndarray]] = {}
        for member in of_members:
            member.calculate(atoms, ["energy", "forces", *(["stress"] * bool(atoms.pbc.all()))])
            for name, value in member.results.items():
                expected.setdefault(name, []).append(np.asarray(value))
        calculator.calculate(atoms)
        names = {"energy", "energies", "forces"} | ({"stress"} if atoms.pbc.all() else set())
        assert calculator.results.keys() == {
            "free_energy",
            *names,
            *(f"{name}_spread" for name in names),
        }
        for name in names:
            values = np.array(expected[name])
            np.testing.assert_allclose(
                calculator.results[name], values.mean(axis=0), rtol=1e-6, atol=1e-5
            )
            np.testing.assert_allclose(
                calculator.results[f"{name}_spread"], values.std(axis=0, ddof=1), atol=1e-4
            )
            assert np.max(calculator.results[f"{name}_spread"]) > 1e-3


def test_ase_asks_for_the_spread_as_for_any_property(calculator: CommitteeCalculator) -> None:
    atoms = structures()[0]
    atoms.calc = calculator
    assert atoms.get_forces().shape == (9, 3)
    assert calculator.get_property("forces_spread", atoms).shape == (9, 3)
    assert isinstance(calculator.get_property("energy_spread", atoms), float)


def test_members_that_differ_in_parameters_only_are_compiled_once(members: list[Path]) -> None:
    loaded = load_committee(members)
    assert len({id(member.predictor) for member in loaded}) == 2


def test_many_structures_are_predicted_as_one(
    members: list[Path], calculator: CommitteeCalculator
) -> None:
    frames = [
        frame_from_atoms(atoms, require=(), file="pool.xyz", index=index)
        for index, atoms in enumerate(structures())
    ]
    found = list(iterate_committee(load_committee(members), frames, batch_size=2))
    assert [frame for frame, _ in found] == frames
    for frame, values in found:
        calculator.calculate(frame.atoms)
        results = calculator.results
        assert values.energy == pytest.approx(results["energy"], abs=1e-3)
        assert values.energy_spread == pytest.approx(results["energy_spread"], abs=1e-3)
        np.testing.assert_allclose(values.mean_forces, results["forces"], atol=1e-4)
        norms = np.linalg.norm(results["forces_spread"], axis=1)
        np.testing.assert_allclose(values.force_spread, norms, atol=1e-4)
        assert values.max_force_spread == pytest.approx(norms.max(), abs=1e-4)


def test_the_spread_of_force_vectors() -> None:
    """Two members, one atom: forces (1, 0, 0) and (0, 1, 0) differ by the root of two."""
    values = CommitteeValues(np.array([1.0, 3.0]), np.array([[[1.0, 0, 0]], [[0, 1.0, 0]]]))
    assert values.energy == 2.0
    assert values.energy_spread == pytest.approx(2**0.5)
    np.testing.assert_allclose(values.force_spread, [1.0])


def test_one_model_is_no_committee(members: list[Path]) -> None:
    with pytest.raises(UserError, match="a committee of 1: the spread needs at least 2"):
        CommitteeCalculator(members[:1])
