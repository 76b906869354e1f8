"""A folder beside the other networks is all that a new one takes."""

import subprocess
import sys
from pathlib import Path

import pytest

from mlip_core.data import DatasetInfo
from mlip_core.models import ForceField
from mlip_core.models.force_field import ForceFieldPredictor
from mlip_core.models.network_config import NetworkConfig
from mlip_core.models.registry import (
    architecture_of,
    architectures,
    config_class,
    network_class,
)
from mlip_core.utils.dict_flatten import flatten_dict

INFO = DatasetInfo(atomic_energies_map={1: -1.0, 8: -2.0}, cutoff_distance_angstrom=3.0)

FOLDER = {
    "__init__.py": (
        "import lazy_loader\n"
        "__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)\n"
    ),
    "__init__.pyi": (
        "from .config import PairsConfig\n"
        "from .network import Pairs\n"
        '__all__ = ["Pairs", "PairsConfig"]\n'
    ),
    "config.py": '''
from typing import ClassVar
from mlip_core.models.network_config import NetworkConfig, Recipe

class PairsConfig(NetworkConfig):
    """Hyperparameters of a pair potential.

    Attributes:
        num_rbf: number of radial basis functions.
    """

    recipe: ClassVar[Recipe] = Recipe(learning_rate=0.02)
    num_rbf: int = 4
''',
    "network.py": """
from typing import ClassVar
from mlip_core.models.blocks import MultiLayerPerceptron
from mlip_core.models.edge_geometry import edge_geometry
from mlip_core.models.mlip_network import MLIPNetwork
from mlip_core.models.neighbors import sum_by_receiver
from mlip_core.models.options import parse_activation
from mlip_core.models.pairs.config import PairsConfig
from mlip_core.models.radial_embedding import bessel_basis, polynomial_envelope_updated

class Pairs(MLIPNetwork):
    config: PairsConfig
    Config: ClassVar[type[PairsConfig]] = PairsConfig

    def energies(self, edge_vectors, node_species, senders, receivers, blocks):
        cutoff = self.dataset_info.cutoff_distance_angstrom
        lengths = edge_geometry(edge_vectors, cutoff).lengths
        basis = bessel_basis(lengths, cutoff, self.config.num_rbf)
        pairs = MultiLayerPerceptron((8, 1), parse_activation("silu"), name="readout")(basis)
        pairs = pairs[:, 0] * polynomial_envelope_updated(lengths, cutoff)
        return sum_by_receiver(pairs, receivers, blocks, node_species.shape[0])

    def readout_blocks(self):
        return ("readout",)
""",
}

USE = """
import sys
import mlip_core.models
mlip_core.models.__path__.append(sys.argv[1])

from mlip_core.models.registry import architectures
from mlip_core.study.run_config import RunConfig
from mlip_core.study.schema import key_reference
assert "pairs" in architectures()
model = {"architecture": "pairs", "num_rbf": 3}
run = RunConfig(dataset="any", model=model, training={"num_epochs": 1})
assert run.optimizer.peak_learning_rate == 0.02
assert "with `architecture: pairs`" in key_reference()
assert "jax" not in sys.modules

import numpy as np
from ase.build import molecule
from mlip_core.data import DatasetInfo
from mlip_core.models import ForceField
from mlip_core.models.model_io import load_model, save_model_to_zip
from mlip_core.models.params_transfer import select_elements
from mlip_core.models.registry import network_class
from mlip_core.simulation.ase import MLIPForceFieldASECalculator

elements = {1: -1.0, 6: -1.0, 8: -2.0}
info = DatasetInfo(atomic_energies_map=elements, cutoff_distance_angstrom=3.0)
network = network_class("pairs")(run.model.network, info)
force_field = select_elements(ForceField.from_mlip_network(network), {1, 8})
save_model_to_zip("pairs.zip", force_field)
loaded = load_model("pairs.zip")
assert loaded.config.num_rbf == 3
water = molecule("H2O")
water.calc = MLIPForceFieldASECalculator(water, 1.5, loaded)
assert abs(water.get_potential_energy() - (-4.0)) > 1e-3
assert np.abs(water.get_forces()).max() > 1e-3
"""


def test_a_folder_is_all_that_an_architecture_takes(tmp_path: Path) -> None:
    (tmp_path / "pairs").mkdir()
    for name, content in FOLDER.items():
        (tmp_path / "pairs" / name).write_text(content)
    used = subprocess.run(
        [sys.executable, "-c", USE, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert used.returncode == 0, used.stderr


@pytest.mark.parametrize("architecture", architectures())
def test_each_architecture_keeps_the_contract(architecture: str) -> None:
    network = network_class(architecture)
    assert architecture_of(network) == architecture
    assert network.Config is config_class(architecture)
    assert issubclass(network.Config, NetworkConfig)
    assert network.Config.recipe.learning_rate > network.Config.recipe.init_learning_rate
    made = network(network.Config(), INFO)
    names = flatten_dict(ForceField.shapes_of(ForceFieldPredictor(made)), sep="/")
    for block in made.readout_blocks():
        assert any(block in name for name in names), block
