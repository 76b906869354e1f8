"""mace-torch, by its own training program with the settings that its documentation recommends."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from mace.calculators import MACECalculator
from trainer_protocol import serve

BATCH_SIZE = 10


class MaceTorch:
    """See ``trainer_protocol.Trainer``."""

    def train(self, settings: dict[str, Any]) -> None:
        """``mace_run_train``, its second stage for the last quarter of the epochs."""
        epochs = settings["epochs"]
        options = {
            "name": "mace",
            "work_dir": settings["directory"],
            "train_file": settings["train"],
            "valid_file": settings["valid"],
            "energy_key": "energy",
            "forces_key": "forces",
            "E0s": "average",
            "model": "MACE",
            "num_channels": 32,
            "max_L": 1,
            "r_max": 5.0,
            "batch_size": BATCH_SIZE,
            "valid_batch_size": BATCH_SIZE,
            "max_num_epochs": epochs,
            "start_swa": max(1, (3 * epochs) // 4),
            "ema_decay": 0.99,
            "default_dtype": "float32",
            "device": "cpu",
            "seed": 1,
        }
        flags = ["--swa", "--ema", "--amsgrad", "--save_cpu"]
        program = Path(sys.executable).parent / "mace_run_train"
        arguments = [f"--{name}={value}" for name, value in options.items()]
        subprocess.run([str(program), *arguments, *flags], check=True)

    def calculator(self, settings: dict[str, Any]) -> Any:
        """From the model of the second stage, which is the one to use."""
        directory = Path(settings["directory"])
        models = [directory / name for name in ("mace_stagetwo.model", "mace.model")]
        model = next(path for path in models if path.exists())
        return MACECalculator(model_paths=str(model), device="cpu", default_dtype="float32")


if __name__ == "__main__":
    serve(MaceTorch())
