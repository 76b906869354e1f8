"""nequip, by its own training program with the settings of its tutorial."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from nequip.integrations.ase import NequIPCalculator
from trainer_protocol import serve

ELEMENTS = ["H", "C", "O"]
CUTOFF = 5.0
BATCH_SIZE = 5


class Nequip:
    """See ``trainer_protocol.Trainer``."""

    def train(self, settings: dict[str, Any]) -> None:
        """``nequip-train``."""
        directory = Path(settings["directory"])
        # JSON is YAML.
        (directory / "study.yaml").write_text(json.dumps(_study(settings)))
        program = Path(sys.executable).parent / "nequip-train"
        arguments = [f"--config-path={directory}", "--config-name=study"]
        subprocess.run([str(program), *arguments], cwd=directory, check=True)

    def calculator(self, settings: dict[str, Any]) -> Any:
        """From the checkpoint of the best epoch; compiling it takes minutes."""
        checkpoint = Path(settings["directory"]) / "best.ckpt"
        return NequIPCalculator._from_saved_model(
            checkpoint, device="cpu", chemical_species_to_atom_type_map=True
        )


def _study(settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "run": ["train"],
        "hydra": {"run": {"dir": "."}, "job": {"chdir": False}},
        "data": _data(settings),
        "trainer": _trainer(settings),
        "training_module": _training(),
    }


def _data(settings: dict[str, Any]) -> dict[str, Any]:
    loader = {"_target_": "torch.utils.data.DataLoader", "batch_size": BATCH_SIZE}
    transforms = "nequip.data.transforms."
    return {
        "_target_": "nequip.data.datamodule.ASEDataModule",
        "seed": 1,
        "train_file_path": settings["train"],
        "val_file_path": settings["valid"],
        "transforms": [
            {
                "_target_": f"{transforms}ChemicalSpeciesToAtomTypeMapper",
                "model_type_names": ELEMENTS,
            },
            {"_target_": f"{transforms}NeighborListTransform", "r_max": CUTOFF},
        ],
        "train_dataloader": loader | {"shuffle": True},
        "val_dataloader": loader,
        "stats_manager": {
            "_target_": "nequip.data.CommonDataStatisticsManager",
            "type_names": ELEMENTS,
            "dataloader_kwargs": {"batch_size": BATCH_SIZE},
        },
    }


def _trainer(settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "_target_": "lightning.Trainer",
        "accelerator": "cpu",
        "max_epochs": settings["epochs"],
        "check_val_every_n_epoch": 1,
        "log_every_n_steps": 45,
        "enable_progress_bar": False,
        "callbacks": [
            {
                "_target_": "lightning.pytorch.callbacks.ModelCheckpoint",
                "monitor": "val0_epoch/weighted_sum",
                "dirpath": settings["directory"],
                "filename": "best",
                "save_top_k": 1,
            }
        ],
    }


def _training() -> dict[str, Any]:
    return {
        "_target_": "nequip.train.EMALightningModule",
        "loss": {
            "_target_": "nequip.train.EnergyForceLoss",
            "per_atom_energy": True,
            "coeffs": {"total_energy": 1.0, "forces": 1.0},
        },
        "val_metrics": {
            "_target_": "nequip.train.EnergyForceMetrics",
            "coeffs": {"total_energy_mae": 1.0, "forces_mae": 1.0},
        },
        "optimizer": {"_target_": "torch.optim.Adam", "lr": 0.01},
        "lr_scheduler": {
            "scheduler": {
                "_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau",
                "factor": 0.6,
                "patience": 5,
                "threshold": 0.2,
                "min_lr": 1e-6,
            },
            "monitor": "val0_epoch/weighted_sum",
            "interval": "epoch",
            "frequency": 1,
        },
        "model": {
            "_target_": "nequip.model.NequIPGNNModel",
            "seed": 1,
            "model_dtype": "float32",
            "type_names": ELEMENTS,
            "r_max": CUTOFF,
            "l_max": 2,
            "parity": True,
            "num_layers": 3,
            "num_features": 32,
            "radial_mlp_depth": 2,
            "radial_mlp_width": 64,
            "avg_num_neighbors": "${training_data_stats:num_neighbors_mean}",
            "per_type_energy_shifts": "${training_data_stats:per_atom_energy_mean}",
            "per_type_energy_scales": "${training_data_stats:forces_rms}",
        },
    }


if __name__ == "__main__":
    serve(Nequip())
