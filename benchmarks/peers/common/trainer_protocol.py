"""How a library is asked to train a model and to say its errors: ``train|test SETTINGS``.

``SETTINGS`` is a JSON file: ``train``, ``valid`` and ``tests`` (paths of extended XYZ by name),
``directory`` for everything that is written, ``epochs``, ``threads``, ``stress`` (whether it is
learned too). ``test`` writes ``errors.json`` into the directory: for each test set the root mean
squared errors of the energy of a structure (``energy_rmse``, eV) and of force components
(``forces_rmse``, eV/Å), and the mean absolute ones of the energy per atom
(``energy_per_atom_mae``, eV) and of force components (``forces_mae``, eV/Å).
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
    energies, per_atom, forces = [], [], []
    for atoms in read(file, ":"):
        reference = atoms.calc.results
        calculator.calculate(atoms, ["energy", "forces"], ["positions", "numbers", "cell"])
        energies.append(calculator.results["energy"] - reference["energy"])
        per_atom.append(energies[-1] / len(atoms))
        forces.append((calculator.results["forces"] - reference["forces"]).ravel())
    components = np.concatenate(forces)
    return {
        "energy_rmse": _root_mean_square(energies),
        "forces_rmse": _root_mean_square(components),
        "energy_per_atom_mae": float(np.mean(np.abs(per_atom))),
        "forces_mae": float(np.mean(np.abs(components))),
    }


def _root_mean_square(deltas: Any) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(deltas, float)))))
