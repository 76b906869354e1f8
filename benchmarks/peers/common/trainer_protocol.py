"""How a library is asked to train a model and to say its errors: ``train|test SETTINGS``.

``SETTINGS`` is a JSON file: ``train``, ``valid`` and ``tests`` (paths of extended XYZ by name),
``directory`` for everything that is written, ``epochs``, ``threads``. ``test`` writes
``errors.json`` into the directory: for each test set the root mean squared errors of the energy of
a structure (``energy``, eV) and of force components (``forces``, eV/Å).
"""

import json
import sys
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ase.io import read


class Trainer(Protocol):
    """A library's own way to train, with the settings that it recommends."""

    def train(self, settings: dict[str, Any]) -> None:
        """Train from nothing for ``epochs`` epochs."""

    def calculator(self, settings: dict[str, Any]) -> Any:
        """An ASE calculator with the best model of the training."""


def serve(trainer: Trainer) -> None:
    """Do what the command line says."""
    task, path = sys.argv[1:]
    settings = json.loads(Path(path).read_text())
    if task == "train":
        trainer.train(settings)
        return
    calculator = trainer.calculator(settings)
    errors = {name: _errors(calculator, file) for name, file in settings["tests"].items()}
    (Path(settings["directory"]) / "errors.json").write_text(json.dumps(errors))


def _errors(calculator: Any, file: str) -> dict[str, float]:
    energies, forces = [], []
    for atoms in read(file, ":"):
        reference = atoms.calc.results
        calculator.calculate(atoms, ["energy", "forces"], ["positions", "numbers", "cell"])
        energies.append(calculator.results["energy"] - reference["energy"])
        forces.append((calculator.results["forces"] - reference["forces"]).ravel())
    return {"energy": _root_mean_square(energies), "forces": _root_mean_square(np.stack(forces))}


def _root_mean_square(deltas: Any) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(deltas, float)))))
