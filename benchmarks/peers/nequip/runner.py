"""nequip: its own data transforms, Lightning module and model.

Variants: "eager" and "compile", the values of ``compile_mode`` that nequip offers for training.
"""

import itertools
import logging
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import version
from typing import Any

import torch
from ase.io import read
from nequip.data import AtomicDataDict, from_ase
from nequip.data.transforms import ChemicalSpeciesToAtomTypeMapper, NeighborListTransform
from nequip.train import EMALightningModule
from nequip.utils.global_state import set_global_state
from protocol import serve

Structure = dict[str, torch.Tensor]


class Program:
    """Data and model of a case."""

    def __init__(self, case: dict[str, Any]) -> None:
        torch.set_num_threads(case["threads"])
        set_global_state()
        self._case = case
        self._elements, self._structures = load(case)
        self._batches = itertools.cycle(batches(self._structures, case["batch_size"]))
        self._module = build(case, self._elements, self._structures)
        self._module.train()
        self._optimizer = self._module.configure_optimizers()
        self._parameters = [p for p in self._module.parameters() if p.requires_grad]
        self._step = 0

    @cached_property
    def _singles(self) -> Any:
        return itertools.cycle(batches(self._structures[:1], 1))

    def describe(self) -> dict[str, Any]:
        """See ``protocol.Program``."""
        return {
            "versions": {name: version(name) for name in ("nequip", "torch", "e3nn")},
            "parameters": sum(parameter.numel() for parameter in self._parameters),
        }

    def run(self, task: str) -> Callable[[], int]:
        """See ``protocol.Program``."""
        # The module writes into what it is given.
        batch = dict(next(self._singles if task == "single" else self._batches))
        if task == "train":
            self._train(batch)
        else:
            self._module(batch)
        return lambda: int(batch[AtomicDataDict.NUM_NODES_KEY].numel())

    def _train(self, batch: Structure) -> None:
        """What Lightning's Trainer does in a step."""
        self._optimizer.zero_grad()
        loss = self._module.training_step(batch, self._step)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, 500.0)
        self._optimizer.step()
        self._module.ema.update_parameters(self._module.model)
        self._step += 1

    def cost(self, task: str) -> dict[str, float]:
        """See ``protocol.Program``; there is no compiler that counts."""
        del task
        return {}


def load(case: dict[str, Any]) -> tuple[list[str], list[Structure]]:
    """Symbols of the elements, and the structures as graphs in float32."""
    frames = read(case["file"], f":{case['num_structures']}")
    elements = sorted({symbol for frame in frames for symbol in frame.symbols})
    transforms = (
        ChemicalSpeciesToAtomTypeMapper(model_type_names=elements),
        NeighborListTransform(r_max=case["cutoff"]),
    )
    structures = []
    for frame in frames:
        structure = from_ase(frame)
        for transform in transforms:
            structure = transform(structure)
        structures.append({name: as_float32(tensor) for name, tensor in structure.items()})
    return elements, structures


def as_float32(tensor: torch.Tensor) -> torch.Tensor:
    """Floating-point tensors in single precision, others as they are."""
    return tensor.float() if tensor.is_floating_point() else tensor


def batches(structures: list[Structure], size: int) -> list[Structure]:
    """The full batches of one epoch."""
    ends = range(size, len(structures) + 1, size)
    return [AtomicDataDict.batched_from_list(structures[end - size : end]) for end in ends]


def build(
    case: dict[str, Any], elements: list[str], structures: list[Structure]
) -> EMALightningModule:
    """The network with the hyperparameters of a case, and its training."""
    edges = sum(structure[AtomicDataDict.EDGE_INDEX_KEY].shape[1] for structure in structures)
    atoms = sum(structure[AtomicDataDict.POSITIONS_KEY].shape[0] for structure in structures)
    model = {
        "_target_": "nequip.model.NequIPGNNModel",
        "seed": 0,
        "model_dtype": "float32",
        "r_max": case["cutoff"],
        "type_names": elements,
        "num_layers": case["network"]["num_layers"],
        "l_max": case["network"]["l_max"],
        "parity": True,
        "num_features": features_of_degrees(case["network"]["node_irreps"]),
        "radial_mlp_depth": 2,
        "radial_mlp_width": 64,
        "avg_num_neighbors": edges / atoms,
        "per_type_energy_shifts": dict.fromkeys(elements, -600.0),
        "compile_mode": case["variant"],
    }
    weights = {"total_energy": 1.0, "forces": 25.0} | ({"stress": 1.0} if case["stress"] else {})
    loss = "EnergyForceStressLoss" if case["stress"] else "EnergyForceLoss"
    return EMALightningModule(
        ema_decay=0.99,
        model=model,
        num_datasets={"train": 1, "val": 0, "test": 0, "predict": 0},
        optimizer={"_target_": "torch.optim.Adam", "lr": 0.01, "amsgrad": True},
        loss={"_target_": f"nequip.train.{loss}", "coeffs": weights},
    )


def features_of_degrees(irreps: str) -> list[int]:
    """Multiplicity of each degree, of "32x0e + 32x0o + 16x1o + 16x1e" [32, 16]."""
    multiplicity = {}
    for part in irreps.replace(" ", "").split("+"):
        count, irrep = part.split("x")
        multiplicity[int(irrep[:-1])] = int(count)
    return [multiplicity[degree] for degree in sorted(multiplicity)]


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    serve(Program)
