"""This project, by its workflow with the recipe of its architecture."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from trainer_protocol import serve

from mlip_core.study.expansion import merge, nested

ROOT = Path(__file__).parents[3]
RUN = "mace"


class Ours:
    """See ``trainer_protocol.Trainer``."""

    def train(self, settings: dict[str, Any]) -> None:
        """Make the dataset, train and choose the best model, as a user does."""
        directory = Path(settings["directory"])
        (directory / "config").mkdir(parents=True, exist_ok=True)
        run: Any = {
            "dataset": "data",
            "model": {"num_channels": 32, "l_max": 3, "node_symmetry": 1, "correlation": 3},
            "predict_stress": settings["stress"],
            "training": {"num_epochs": settings["epochs"]},
        }
        for change in settings["changes"]:
            key, value = change.split("=", 1)
            run = merge(run, nested(key, json.loads(value)))
        split = {name: {"files": [settings[name]]} for name in ("train", "valid")}
        study = {
            "datasets": {
                "data": {
                    "source": {"files": [settings[name] for name in split]},
                    "split": split | {"test": 0},
                    "graph": {"graph_cutoff_angstrom": 5.0},
                }
            },
            "runs": {RUN: run},
        }
        config = directory / "config" / "config.yaml"
        config.write_text(json.dumps(study))  # JSON is YAML
        command = [sys.executable, "-m", "snakemake", f"results/models/{RUN}.zip"]
        options = ["--snakefile", str(ROOT / "Snakefile"), "--cores", str(settings["threads"])]
        subprocess.run([*command, *options], cwd=directory, check=True)

    def calculator(self, settings: dict[str, Any]) -> Any:
        """From the model zip."""
        from mlip_core import ForceFieldCalculator

        return ForceFieldCalculator(Path(settings["directory"]) / "results/models" / f"{RUN}.zip")


if __name__ == "__main__":
    serve(Ours())
