"""Functions of distances alone may be taken from tables: the same to single precision."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlip_core.models import ForceField, Mace, Nequip, Visnet
from mlip_core.models.mlip_network import MLIPNetwork
from mlip_core.models.model_io import load_model, save_model_to_zip
from mlip_core.models.options import Activation
from mlip_core.models.radial_tables import COLLECTION, RadialTable, look_up, make_tables
from mlip_core.models.schnet import Schnet
from mlip_core.simulation.ase import MLIPForceFieldASECalculator
from tests.models.physics import DATASET_INFO, PhysicsChecks, crystal

MACE = {"num_layers": 2, "num_channels": 4, "l_max": 1, "correlation": 2}
NETWORKS = {
    "mace": Mace(Mace.Config(**MACE), DATASET_INFO),
    "mace, species of both ends": Mace(Mace.Config(**MACE, species_embedding_dim=3), DATASET_INFO),
    "mace, not zero at zero": Mace(
        Mace.Config(**MACE, activation=Activation.SIGMOID), DATASET_INFO
    ),
    "nequip": Nequip(Nequip.Config(num_layers=2, node_irreps="4x0e+4x1o", l_max=1), DATASET_INFO),
    "schnet": Schnet(Schnet.Config(num_layers=2, num_channels=6, num_rbf=8), DATASET_INFO),
}


class TestTabulatedSchnet(PhysicsChecks):
    """A table is a potential of its own, which obeys physics as exactly as any."""

    @staticmethod
    def network() -> MLIPNetwork:
        return NETWORKS["schnet"]

    @staticmethod
    def prepared(force_field: ForceField) -> ForceField:
        tabulated = force_field.tabulated
        assert tabulated is not force_field
        params = jax.tree.map(jnp.asarray, tabulated.params)
        return ForceField(force_field.predictor, params)


@pytest.mark.parametrize("name", NETWORKS)
def test_predictions_are_those_without_tables(name: str) -> None:
    force_field = ForceField.from_mlip_network(NETWORKS[name], predict_stress=True)
    assert COLLECTION in force_field.tabulated.params
    found = [_results(one, "float32") for one in (force_field, _without_tables(force_field))]
    exact = _results(force_field, "float64")
    for kind, expected in exact.items():
        scale = np.abs(expected).max()
        errors = [np.abs(one[kind] - expected).max() / scale for one in found]
        assert errors[0] < max(2 * errors[1], 2e-6), kind


def _without_tables(force_field: ForceField) -> ForceField:
    plain = ForceField(force_field.predictor, force_field.params)
    object.__setattr__(plain, "tabulated", plain)  # what is cached
    return plain


def _results(force_field: ForceField, dtype: Any) -> dict[str, np.ndarray]:
    atoms = crystal()
    atoms.calc = MLIPForceFieldASECalculator(atoms, 1.5, force_field, dtype=dtype)
    return {"forces": atoms.get_forces(), "stress": atoms.get_stress()}


def test_tables_wait_on_the_device() -> None:
    """In the precision of the device: each call of the force field would carry them there."""
    for table in jax.tree.leaves(ForceField.from_mlip_network(NETWORKS["mace"]).tabulated.params):
        assert isinstance(table, jax.Array)
        assert table.dtype == jnp.float32


def test_networks_without_such_functions_stay_as_they_are() -> None:
    config = Visnet.Config(num_layers=1, num_channels=8, num_heads=2)
    force_field = ForceField.from_mlip_network(Visnet(config, DATASET_INFO))
    assert force_field.tabulated is force_field
    assert force_field.tabulated.tabulated is force_field


def test_functions_too_fine_for_a_table_are_computed() -> None:
    def values_at(lengths: Any) -> Any:
        return {"intermediates": {"w": jnp.sin(2000 * lengths)[:, None]}}

    assert make_tables(values_at, 0.5, 5.0) == {}


def test_a_tabulated_force_field_is_saved_as_what_it_was_made_from(tmp_path: Any) -> None:
    force_field = ForceField.from_mlip_network(NETWORKS["mace"])
    for name, one in (("a.zip", force_field), ("b.zip", force_field.tabulated)):
        save_model_to_zip(tmp_path / name, one)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert COLLECTION not in load_model(tmp_path / "b.zip").params


def test_lookup_and_its_derivatives() -> None:
    """Cubic polynomials on intervals of 0.5 Å: the values, two derivatives, and zero beyond."""
    rng = np.random.default_rng(0)
    coefficients = rng.normal(size=(4, 10, 3))
    with jax.enable_x64(True):
        table = RadialTable(tuple(jnp.asarray(coefficients)), jnp.asarray(0.5))
        lengths = jnp.asarray([0.2, 1.1, 4.9, 5.0, 7.0])
        weights = rng.normal(size=(5, 3))

        def weighted(lengths: Any) -> Any:
            return (weights * look_up(lengths, table)).sum()

        values = np.asarray(look_up(lengths, table))
        slopes = np.asarray(jax.grad(weighted)(lengths))
        curvatures = np.asarray(jax.hessian(weighted)(lengths))
    for index, (row, x) in enumerate([(0, 0.4), (2, 0.2), (9, 0.8)]):
        polynomials = [np.polynomial.Polynomial(c) for c in coefficients[:, row].T]
        expected = [[p.deriv(order)(x) / 0.5**order for p in polynomials] for order in range(3)]
        np.testing.assert_allclose(values[index], expected[0], rtol=1e-12)
        np.testing.assert_allclose(slopes[index], weights[index] @ expected[1], rtol=1e-10)
        np.testing.assert_allclose(
            curvatures[index, index], weights[index] @ expected[2], rtol=1e-9
        )
    np.testing.assert_array_equal(values[3:], 0)
    np.testing.assert_array_equal(slopes[3:], 0)
