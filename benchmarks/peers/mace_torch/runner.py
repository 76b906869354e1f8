"""mace-torch: its own data loader, training step and model.

Variants: "eager", which is what ``mace_run_train`` does on a CPU, and "compile", the same model
prepared by ``mace.tools.compile`` under ``torch.compile``.
"""

import itertools
import logging
import os
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from importlib.metadata import version
from typing import Any

# MACE sets this for the e3nn that it needs, but too late if e3nn is imported first.
os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")

import numpy as np
import torch
from ase.io import read
from e3nn import o3
from mace import data, modules, tools
from mace.tools.torch_geometric import DataLoader
from protocol import serve
from torch_ema import ExponentialMovingAverage

DEVICE = torch.device("cpu")
LABELS = data.KeySpecification(
    info_keys={"energy": "energy", "stress": "stress"}, arrays_keys={"forces": "forces"}
)


class Program:
    """Data and model of a case."""

    def __init__(self, case: dict[str, Any]) -> None:
        torch.set_num_threads(case["threads"])
        tools.set_default_dtype("float32")
        self._case = case
        self._structures = load(case)
        self._batches = itertools.cycle(batches(self._structures, case["batch_size"]))
        self._model = build(case, self._structures)
        self._optimizer = torch.optim.Adam(self._model.parameters(), lr=0.01, amsgrad=True)
        self._ema = ExponentialMovingAverage(self._model.parameters(), decay=0.99)
        weights = {"energy_weight": 1.0, "forces_weight": 25.0}
        self._loss = (
            modules.WeightedEnergyForcesStressLoss(**weights, stress_weight=1.0)
            if case["stress"]
            else modules.WeightedEnergyForcesLoss(**weights)
        )
        self._outputs = {"forces": True, "virials": False, "stress": case["stress"]}
        # ``mace.tools.train`` is a function too: it hides the module.
        self._take_step = import_module("mace.tools.train").take_step

    @cached_property
    def _singles(self) -> Any:
        return itertools.cycle(batches(self._structures[:1], 1))

    def describe(self) -> dict[str, Any]:
        """See ``protocol.Program``."""
        return {
            "versions": {name: version(name) for name in ("mace-torch", "torch", "e3nn")},
            "parameters": tools.count_parameters(self._model),
        }

    def run(self, task: str) -> Callable[[], int]:
        """See ``protocol.Program``."""
        batch = next(self._singles if task == "single" else self._batches)
        is_compiled = self._case["variant"] == "compile"
        if is_compiled:
            # As MACE's own calculator does: what is differentiated must be known as such outside,
            # and predictions are those of training, whose graph is the one that compiles.
            batch.positions.requires_grad_(True)
            batch.node_attrs.requires_grad_(True)
        if task == "train":
            self._take_step(
                model=self._model,
                loss_fn=self._loss,
                batch=batch,
                optimizer=self._optimizer,
                ema=self._ema,
                output_args=self._outputs,
                max_grad_norm=500.0,
                device=DEVICE,
            )
        else:
            self._model(batch.to_dict(), training=is_compiled, compute_stress=self._case["stress"])
        return lambda: int(batch.num_graphs)

    def cost(self, task: str) -> dict[str, float]:
        """See ``protocol.Program``; there is no compiler that counts."""
        del task
        return {}


def load(case: dict[str, Any]) -> list[Any]:
    """The structures as graphs."""
    frames = read(case["file"], f":{case['num_structures']}")
    for frame in frames:
        # The labels are under keys of their own: MACE does not read those of ASE's calculator.
        frame.info["energy"] = frame.get_potential_energy()
        frame.arrays["forces"] = frame.get_forces()
        if case["stress"]:
            frame.info["stress"] = frame.get_stress(voigt=True)
    numbers = tools.AtomicNumberTable(sorted({int(z) for f in frames for z in f.numbers}))
    return [
        data.AtomicData.from_config(
            data.config_from_atoms(frame, key_specification=LABELS),
            z_table=numbers,
            cutoff=case["cutoff"],
        )
        for frame in frames
    ]


def batches(structures: list[Any], size: int) -> list[Any]:
    """The full batches of one epoch."""
    return list(DataLoader(structures, batch_size=size, shuffle=True, drop_last=True))


def build(case: dict[str, Any], structures: list[Any]) -> torch.nn.Module:
    """The network with the hyperparameters of a case and the default settings of the CLI."""
    network = case["network"]
    channels, degree = network["num_channels"], network["node_symmetry"]
    hidden = "+".join(f"{channels}x{order}{'eo'[order % 2]}" for order in range(degree + 1))
    numbers = sorted({int(z) for frame in read(case["file"], ":1") for z in frame.numbers})
    edges = sum(structure.edge_index.shape[1] for structure in structures)
    atoms = sum(structure.positions.shape[0] for structure in structures)
    arguments: dict[str, Any] = {
        "r_max": case["cutoff"],
        "num_bessel": 8,
        "num_polynomial_cutoff": 5,
        "max_ell": network["l_max"],
        "interaction_cls": modules.interaction_classes["RealAgnosticResidualInteractionBlock"],
        "interaction_cls_first": modules.interaction_classes[
            "RealAgnosticResidualInteractionBlock"
        ],
        "num_interactions": network["num_layers"],
        "num_elements": len(numbers),
        "hidden_irreps": o3.Irreps(hidden),
        "MLP_irreps": o3.Irreps("16x0e"),
        "atomic_energies": np.full(len(numbers), -600.0),
        "avg_num_neighbors": edges / atoms,
        "atomic_numbers": numbers,
        "correlation": network["correlation"],
        "gate": torch.nn.functional.silu,
        "atomic_inter_scale": 1.0,
        "atomic_inter_shift": 0.0,
    }

    def make() -> torch.nn.Module:
        torch.manual_seed(0)
        return modules.ScaleShiftMACE(**arguments)

    if case["variant"] == "compile":
        return torch.compile(import_module("mace.tools.compile").prepare(make)())
    return make()


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    serve(Program)
