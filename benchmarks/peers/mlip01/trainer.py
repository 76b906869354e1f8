"""mlip 0.1 as its guide trains, with its defaults."""

from pathlib import Path
from typing import Any

from ase.io import read
from mlip.data import ExtxyzReader, GraphDatasetBuilder
from mlip.models import ForceField, Mace
from mlip.models.loss import MSELoss
from mlip.models.model_io import load_model_from_zip, save_model_to_zip
from mlip.simulation.ase.mlip_ase_calculator import MLIPForceFieldASECalculator
from mlip.training import TrainingLoop, get_default_mlip_optimizer
from trainer_protocol import serve

NETWORK = {"num_channels": 32, "l_max": 3, "node_symmetry": 1, "correlation": 3}
BATCH_SIZE = 10


class Mlip:
    """See ``trainer_protocol.Trainer``."""

    def train(self, settings: dict[str, Any]) -> None:
        """The guide's script."""
        reader = ExtxyzReader(
            ExtxyzReader.Config(
                train_dataset_paths=settings["train"], valid_dataset_paths=settings["valid"]
            )
        )
        config = GraphDatasetBuilder.Config(graph_cutoff_angstrom=5.0, batch_size=BATCH_SIZE)
        builder = GraphDatasetBuilder(reader, config)
        builder.prepare_datasets()
        train, valid, _ = builder.get_splits()
        loop = TrainingLoop(
            train,
            valid,
            ForceField.from_mlip_network(Mace(Mace.Config(**NETWORK), builder.dataset_info)),
            MSELoss(),
            get_default_mlip_optimizer(),
            TrainingLoop.Config(num_epochs=settings["epochs"]),
        )
        loop.run()
        save_model_to_zip(_model_of(settings), loop.best_model)

    def calculator(self, settings: dict[str, Any]) -> Any:
        """From the model zip."""
        structure = read(next(iter(settings["tests"].values())), 0)
        force_field = load_model_from_zip(Mace, _model_of(settings))
        return MLIPForceFieldASECalculator(structure, 1.5, force_field)


def _model_of(settings: dict[str, Any]) -> Path:
    return Path(settings["directory"]) / "model.zip"


if __name__ == "__main__":
    serve(Mlip())
