"""The force field that a run starts with: a new one, or a trained one fitted to the dataset."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import optax
from ase.data import atomic_numbers, chemical_symbols

from mlip_core.data.dataset_info import DatasetInfo
from mlip_core.data.shards.manifest import read_manifest
from mlip_core.models import ForceField
from mlip_core.models.model_io import load_model_from_zip
from mlip_core.models.params_transfer import select_elements, transfer_params
from mlip_core.models.registry import network_class
from mlip_core.study.run_config import RunConfig
from mlip_core.study.training_data import TrainingInputs, training_set
from mlip_core.training.finetuning_utils import fit_atomic_energies, mask_optimizer_for_finetuning
from mlip_core.utils.errors import UserError


@dataclass(frozen=True)
class Start:
    """What a training starts with.

    Attributes:
        force_field: before the first step.
        trained_blocks: names of the blocks that are trained; ``None`` for all parameters.
    """

    force_field: ForceField
    trained_blocks: list[str] | None = None

    def masked(self, optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
        """The optimizer for what is trained."""
        if self.trained_blocks is None:
            return optimizer
        params = self.force_field.params
        return mask_optimizer_for_finetuning(optimizer, params, self.trained_blocks)

    def describe(self) -> dict[str, Any]:
        """What of it does not stand in the run's config, for its provenance."""
        energies = self.force_field.dataset_info.atomic_energies_map
        return {
            "trained_blocks": self.trained_blocks or "all",
            "atomic_energies_ev": {chemical_symbols[z]: e for z, e in energies.items()},
        }


def make_start(run: RunConfig, inputs: TrainingInputs, info: DatasetInfo, seed: int) -> Start:
    """The force field that a run starts with.

    Args:
        run: its config.
        inputs: its files.
        info: of its dataset.
        seed: of the parameters that are drawn at random.

    Raises:
        UserError: if the model to start from does not fit the dataset or the run.
    """
    if inputs.start is None:
        network = network_class(run.model.architecture)(run.model.network, info)
        return Start(ForceField.from_mlip_network(network, run.predict_stress, seed))
    source = _with_own_atomic_energies(
        load_model_from_zip(network_class(run.model.architecture), inputs.start)
    )
    elements = _elements(info, inputs)
    _require_fit(source.dataset_info, elements, info.cutoff_distance_angstrom, inputs.start)
    if run.finetune.elements == "dataset":
        source = select_elements(source, elements)
    return _started(run, source, _atomic_energies(run, source, inputs, info), seed)


def _started(run: RunConfig, source: ForceField, energies: dict[int, float], seed: int) -> Start:
    """The run's own network with the parameters of the source."""
    network: Any = source.predictor.mlip_network
    own = type(network)(
        # The number of species is the only key that a choice of elements has changed.
        config=run.model.network.model_copy(update={"num_species": network.config.num_species}),
        dataset_info=source.dataset_info.model_copy(update={"atomic_energies_map": energies}),
    )
    new = ForceField.from_mlip_network(own, run.predict_stress, seed)
    params, new_blocks = transfer_params(source.params, new.params, run.finetune.new_heads_scale)
    trainable = run.finetune.trainable
    if trainable == "heads":
        blocks: list[str] | None = new_blocks or list(own.readout_blocks())
    else:
        blocks = None if trainable == "all" else list(trainable)
    return Start(ForceField(new.predictor, params), blocks)


def _with_own_atomic_energies(force_field: ForceField) -> ForceField:
    """The same function with the atomic energies in the dataset's info, not in the config."""
    network = force_field.predictor.mlip_network
    energies = dict(
        zip(network.dataset_info.atomic_energies_map, network.atomic_energies(), strict=True)
    )
    plain = network.clone(
        config=network.config.model_copy(update={"atomic_energies": None}),
        dataset_info=network.dataset_info.model_copy(update={"atomic_energies_map": energies}),
    )
    return ForceField(force_field.predictor.clone(mlip_network=plain), force_field.params)


def _require_fit(model: DatasetInfo, elements: set[int], cutoff: float, path: str) -> None:
    """Raise unless a model knows all elements and has the cutoff of the graphs."""
    unknown = elements - set(model.atomic_energies_map)
    if unknown:
        raise UserError(
            f"init_from: {path} does not know {_symbols(unknown)}, which the dataset has (it knows"
            f" {_symbols(model.atomic_energies_map)}); start from a model that does, or from none"
        )
    if model.cutoff_distance_angstrom != cutoff:
        raise UserError(
            f"init_from: {path} has a cutoff of {model.cutoff_distance_angstrom} Å, the graphs of"
            f" the dataset one of {cutoff} Å; set the dataset's graph.graph_cutoff_angstrom to"
            f" {model.cutoff_distance_angstrom}"
        )


def _elements(info: DatasetInfo, inputs: TrainingInputs) -> set[int]:
    """Atomic numbers of the dataset and of the replayed one."""
    replayed = [] if inputs.replay is None else read_manifest(inputs.replay)["elements"]
    return {*info.atomic_energies_map, *(atomic_numbers[symbol] for symbol in replayed)}


def _atomic_energies(
    run: RunConfig, source: ForceField, inputs: TrainingInputs, info: DatasetInfo
) -> dict[int, float]:
    of_model = source.dataset_info.atomic_energies_map
    if run.finetune.atomic_energies == "model":
        return of_model
    if run.finetune.atomic_energies == "dataset":
        return {**of_model, **info.atomic_energies_map}
    return fit_atomic_energies(source, training_set(inputs, source.dataset_info, run, seed=None))


def _symbols(numbers: Iterable[int]) -> str:
    return ", ".join(chemical_symbols[z] for z in sorted(numbers))
