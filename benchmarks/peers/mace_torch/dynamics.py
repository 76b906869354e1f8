"""mace-torch: its ASE calculator, eager or compiled, under ASE's Langevin dynamics."""

import logging
import os
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

# MACE sets this for the e3nn that it needs, but too late if e3nn is imported first.
os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")

import numpy as np
import torch
from ase import units
from ase.io import read
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from e3nn import o3
from mace import modules, tools
from mace.calculators import MACECalculator
from protocol import serve


class Program:
    """Dynamics with a calculator."""

    def __init__(self, case: dict[str, Any]) -> None:
        torch.set_num_threads(case["threads"])
        tools.set_default_dtype("float32")
        atoms = read(case["structure"])
        atoms.calc = MACECalculator(
            models=build(case, sorted({int(z) for z in atoms.numbers})),
            device="cpu",
            default_dtype="float32",
            compile_mode="default" if case["variant"] == "compile" else None,
        )
        rng = np.random.default_rng(0)
        MaxwellBoltzmannDistribution(atoms, temperature_K=case["temperature_kelvin"], rng=rng)
        self._steps = case["steps"]
        self._dynamics = Langevin(
            atoms,
            case["timestep_fs"] * units.fs,
            temperature_K=case["temperature_kelvin"],
            friction=case["friction"],
            fixcm=False,
            rng=rng,
        )

    def describe(self) -> dict[str, Any]:
        """See ``protocol.Program``."""
        return {"versions": {name: version(name) for name in ("mace-torch", "torch", "e3nn")}}

    def run(self, task: str) -> Callable[[], int]:
        """See ``protocol.Program``: what is counted are steps."""
        del task
        self._dynamics.run(self._steps)
        return lambda: self._steps

    def cost(self, task: str) -> dict[str, float]:
        """See ``protocol.Program``; not counted."""
        del task
        return {}


def build(case: dict[str, Any], numbers: list[int]) -> torch.nn.Module:
    """The network with the hyperparameters of a case and the default settings of the CLI."""
    network = case["network"]
    channels, degree = network["num_channels"], network["node_symmetry"]
    hidden = "+".join(f"{channels}x{order}{'eo'[order % 2]}" for order in range(degree + 1))
    interaction = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    torch.manual_seed(0)
    return modules.ScaleShiftMACE(
        r_max=case["cutoff"],
        num_bessel=8,
        num_polynomial_cutoff=5,
        max_ell=network["l_max"],
        interaction_cls=interaction,
        interaction_cls_first=interaction,
        num_interactions=network["num_layers"],
        num_elements=len(numbers),
        hidden_irreps=o3.Irreps(hidden),
        MLP_irreps=o3.Irreps("16x0e"),
        atomic_energies=np.full(len(numbers), -600.0),
        avg_num_neighbors=case["avg_num_neighbors"],
        atomic_numbers=numbers,
        correlation=network["correlation"],
        gate=torch.nn.functional.silu,
        atomic_inter_scale=case["energy_scale"],
        atomic_inter_shift=0.0,
    )


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    serve(Program)
