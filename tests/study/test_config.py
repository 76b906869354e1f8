"""The study file: what it accepts, and what it says about a mistake."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlip_core.models.registry import architectures, network_class
from mlip_core.study.checks import check_calibrated, check_evaluated, check_study
from mlip_core.study.config import StudyConfig, load_study
from mlip_core.utils.errors import UserError

ROOT = Path(__file__).parents[2]
EXAMPLES = [ROOT / "config/config.yaml", *sorted((ROOT / "config/examples").glob("*.yaml"))]


def study(**changes: Any) -> dict[str, Any]:
    """A small valid study; ``a__b=value`` sets the key ``a.b``, ``...`` removes it."""
    mapping: dict[str, Any] = {
        "datasets": {"water": {"source": {"files": ["water.xyz"]}, "split": {"train": 8}}},
        "runs": {"first": {"dataset": "water", "training": {"num_epochs": 3}}},
    }
    for path, value in changes.items():
        *parents, key = path.split("__")
        target = mapping
        for parent in parents:
            target = target.setdefault(parent, {})
        target.pop(key, None)
        if value is not ...:
            target[key] = value
    return mapping


def message(mapping: dict[str, Any]) -> str:
    return refusal(lambda: load_study(mapping, "study.yaml"))


def refusal(call: Callable[[], object]) -> str:
    try:
        call()
    except UserError as error:
        return str(error)
    pytest.fail("the mistake was not seen")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_shipped_studies_are_valid(path: Path) -> None:
    loaded = load_study(yaml.safe_load(path.read_text()))
    assert loaded.runs
    # What the jobs get is the same study.
    assert StudyConfig.model_validate(loaded.model_dump(mode="json")) == loaded


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sede": 1}, "sede: unknown key, did you mean 'seed'? (allowed: "),
        (
            {"runs__first__training__num_epoch": 5},
            "runs.first.training.num_epoch: unknown key, did you mean 'num_epochs'? (allowed: ",
        ),
        (
            {"datasets__water__graph": {"cutoff": 4.0}},
            "datasets.water.graph.cutoff: unknown key, did you mean 'graph_cutoff_angstrom'? ",
        ),
        (
            {"datasets__water__source__file": "a"},
            (
                "datasets.water.source.file: unknown key, did you mean 'files'? "
                "(allowed: files, reference)"
            ),
        ),
        (
            {"runs__first__model": {"architecture": "mac"}},
            (
                "runs.first.model.architecture: 'mac' is not allowed, did you mean 'mace'? "
                f"(allowed: {', '.join(architectures())})"
            ),
        ),
        (
            {"runs__first__model": {"architecture": "nequipp"}},
            (
                "runs.first.model.architecture: 'nequipp' is not allowed, did you mean 'nequip'? "
                f"(allowed: {', '.join(architectures())})"
            ),
        ),
        (
            {"runs__first__model": {"architecture": None}},
            (
                "runs.first.model.architecture: None is not allowed "
                f"(allowed: {', '.join(architectures())})"
            ),
        ),
        (
            {"runs__first__model": "nequip"},
            "runs.first.model: 'nequip' should be a table with the key `architecture`",
        ),
        (
            {"runs__first__model": {"architecture": "nequip", "radial_net_hidden": 8}},
            (
                "runs.first.model.radial_net_hidden: unknown key for architecture 'nequip', "
                "did you mean 'radial_net_n_hidden'? (allowed: atomic_energies, "
            ),
        ),
        (
            {"runs__first__model": {"architecture": "nequip", "correlation": 2}},
            (
                "runs.first.model.correlation: unknown key for architecture 'nequip' "
                "(allowed: atomic_energies, num_species, "
            ),
        ),
        (
            {"runs__first__model": {"num_heads": 4}},
            "runs.first.model.num_heads: unknown key for architecture 'mace', did you mean 'num_",
        ),
        (
            # The name of an architecture where its hyperparameters should be.
            {"runs__first__model": {"visnet": {"num_layers": 1}}},
            "runs.first.model.visnet: unknown key for architecture 'mace' (allowed: ",
        ),
        (
            {"runs__first__model": {"architecture": "nequip", "node_irreps": "4x1o"}},
            (
                "runs.first.model.node_irreps: '4x1o': energies are read from the scalars; "
                "add at least '2x0e'"
            ),
        ),
        (
            {"runs__first__model": {"architecture": "visnet", "num_channels": 6}},
            "runs.first.model: num_channels (6) is not a multiple of num_heads (8): change one",
        ),
        (
            {"runs__first__model": {"architecture": "visnet", "vecnorm_type": "maxmin"}},
            (
                "runs.first.model.vecnorm_type: 'maxmin' is not allowed, did you mean 'max_min'? "
                "(allowed: rms, max_min, none)"
            ),
        ),
        (
            {"runs__first__loss": {"name": "hubert"}},
            (
                "runs.first.loss.name: 'hubert' is not allowed, did you mean 'huber'? "
                "(allowed: mse, huber)"
            ),
        ),
        (
            {"runs__first__batch_size": 0},
            "runs.first.batch_size: 0 should be greater than 0",
        ),
        (
            {"runs__first__batch_size": "auto"},
            "runs.first.batch_size: 'auto' should be a whole number",
        ),
        (
            {"runs__first__training": {"num_epochs": 1.5}},
            "runs.first.training.num_epochs: 1.5 should be a whole number",
        ),
        (
            {"runs__first__training": None},
            "runs.first.training: None should be a table of keys and values",
        ),
        (
            {"datasets__water__source__files": "water.xyz"},
            "datasets.water.source.files: 'water.xyz' should be a list, as in [a, b]",
        ),
        (
            {"datasets__water__atomic_energies": {1: -13.6}},
            "datasets.water.atomic_energies[1]: the key should be a text",
        ),
        (
            {"grids": {"g": {"vary": {"seed": 3}}}},
            (
                "grids.g.vary.seed: 3 should be a list, as in [a, b], or be a table of keys and "
                "values"
            ),
        ),
        (
            {"datasets__water__split__train": "many"},
            "datasets.water.split.train: 'many' should be a number of frames, a fraction between ",
        ),
        (
            {"datasets__water__split__test": {"file": ["water.xyz"]}},
            "datasets.water.split.test: {'file': ['water.xyz']} should be a number of frames, a ",
        ),
        (
            {"datasets__water__split__test": {"files": ["watr.xyz"]}},
            (
                "datasets.water: split.test.files: 'watr.xyz' is not among source.files, "
                "did you mean 'water.xyz'? (they are: water.xyz)"
            ),
        ),
        (
            {"datasets__water__check": {"actions": {"duplicates": "remove"}}},
            (
                "datasets.water.check.actions.duplicates: 'remove' is not allowed "
                "(allowed: error, warn, drop, ignore)"
            ),
        ),
        (
            {"runs__first__training": ...},
            "runs.first.training: missing (How long and how to train)",
        ),
        (
            {"runs__first__dataset": "watr"},
            (
                "runs.first.dataset: there is no dataset 'watr', did you mean 'water'? "
                "(there are: water)"
            ),
        ),
        (
            {"datasets__water__source": {}},
            "datasets.water.source: exactly one of `files` and `reference` must be given",
        ),
        (
            {"datasets__water__source": {"reference": {"calculator": "a.B"}}},
            "datasets.water.source.reference: exactly one of `dynamics` and `label` must be given",
        ),
        (
            {"datasets__water__atomic_energies": {"Hh": -1.0}},
            'datasets.water.atomic_energies: unknown element "Hh"; did you mean "',
        ),
        (
            {"datasets__water__atomic_energies": "least_square"},
            (
                "datasets.water.atomic_energies: 'least_square' is not allowed, "
                "did you mean 'least_squares'? (allowed: isolated_atoms, least_squares)"
            ),
        ),
        (
            {"runs__first__loss": {"forces_weight": {10: 1.0}}},
            "runs.first.loss.forces_weight: a table of weights must say the weight at epoch 0",
        ),
        ({"runs": {}}, "runs: "),
        (
            {"datasets__water__split": {"train": 0.8, "valid": 0.2, "test": 0.1}},
            (
                "datasets.water.split: the fractions (train: 0.8, valid: 0.2, test: 0.1) exceed 1; "
                "give fractions that add up to 1"
            ),
        ),
        (
            {"datasets__water__split__train": 0},
            "datasets.water.split.train: no frames, but runs.first needs them",
        ),
        (
            {"datasets__water__split__valid": 0.0},
            "datasets.water.split.valid: no frames, but runs.first needs them",
        ),
        (
            {"datasets__water__split__train": {"files": ["water.xyz"]}},
            "datasets.water: split.valid: 0.1, but other splits name all of source.files; give it ",
        ),
        (
            {"datasets__water__split__group_by": "file"},
            (
                "datasets.water: split.group_by: 'file' needs a file for each of train, valid, "
                "test, there are 1 to share; "
            ),
        ),
        (
            {
                "datasets__water__source": {
                    "reference": {"calculator": "emt", "label": {"files": ["a.xyz"]}}
                },
                "datasets__water__labels": {"energy_unit": "Hartree"},
            },
            "datasets.water: labels: source.reference makes files with the default keys, in eV ",
        ),
        (
            {"runs__first__loss": {"stress_weight": {0: 0, 5: 1}}},
            "runs.first: loss.stress_weight: larger than 0, but the model does not predict stress;",
        ),
        (
            {"runs__first__loss": {"energy_weight": 0, "forces_weight": {0: 0}}},
            "runs.first.loss: all weights are 0, so nothing would be learned",
        ),
        (
            {
                "runs__first__training__num_gradient_accumulation_steps": 4,
                "runs__first__optimizer": {"num_gradient_accumulation_steps": 2},
            },
            (
                "runs.first: training.num_gradient_accumulation_steps is 4, "
                "optimizer.num_gradient_accumulation_steps 2; give one of them, or both alike"
            ),
        ),
        (
            {"runs__first__training": {"num_epochs": 0, "run_eval_at_start": False}},
            "runs.first: training.num_epochs: 0 with run_eval_at_start: false leaves no model",
        ),
        (
            {"runs__first__training__early_stopping": {"metric": "rmse_force"}},
            (
                "runs.first: training.early_stopping.metric: there is no 'rmse_force', "
                "did you mean 'rmse_f'? (there are: loss, mae_e, rmse_e, "
            ),
        ),
        (
            {"runs__first__training__plateau": {"metric": "mse_f"}},
            "runs.first: training.plateau.metric: there is no 'mse_f', did you mean 'rmse_f'? ",
        ),
        (
            {"select_best__metric": "valid_loss"},
            "select_best.metric: runs.first: there is no 'valid_loss', did you mean 'loss'? (there",
        ),
        (
            {"select_best__metric": "rmse_stress"},
            (
                "select_best.metric: runs.first: there is no 'rmse_stress' without predict_stress"
                " (there are: loss, "
            ),
        ),
        (
            {
                "select_best__metric": "rmse_e_per_atom",
                "runs__first__loss": {"extended_metrics": False},
            },
            (
                "select_best.metric: runs.first: there is no 'rmse_e_per_atom'"
                " without loss.extended_metrics (there are: loss, "
            ),
        ),
        (
            {"runs__best": {"dataset": "water", "training": {"num_epochs": 3}}},
            "runs.best: the name is that of the best run; choose another",
        ),
        (
            {"runs__first__finetune": {"trainable": []}},
            "runs.first.finetune.trainable: ",
        ),
    ],
)
def test_a_mistake_gives_one_line_that_names_it(changes: dict[str, Any], expected: str) -> None:
    text = message(study(**changes))
    assert text.startswith(f"study.yaml: {expected}")
    assert "\n" not in text


@pytest.mark.parametrize("name", ["a b", "../up", ".hidden", "a/b", "ä"])
def test_names_become_file_names(name: str) -> None:
    mapping = study()
    mapping["runs"][name] = deepcopy(mapping["runs"]["first"])
    assert message(mapping).startswith(f"study.yaml: runs.{name}: names become file names")


def test_each_mistake_has_a_line() -> None:
    text = message(study(sede=1, runs__first__batch_size=-1, datasets__water__split=...))
    starts = [line.split(": ")[1] for line in text.splitlines()]
    assert sorted(starts) == ["datasets.water.split", "runs.first.batch_size", "sede"]


def test_a_key_with_the_name_of_its_architecture_takes_no_other_mistake() -> None:
    model = {"architecture": "visnet", "visnet": {"num_layers": 1}, "num_layers": 0}
    first, second = sorted(message(study(runs__first__model=model)).splitlines())
    assert first == "study.yaml: runs.first.model.num_layers: 0 should be greater than 0"
    assert second.startswith("study.yaml: runs.first.model.visnet: unknown key for architecture")


HYPERPARAMETERS: dict[str, dict[str, Any]] = {
    "mace": {
        "num_channels": 4,
        "readout_irreps": ["2x0e", "0e"],
        "radial_envelope": "soft_envelope",
    },
    "nequip": {"node_irreps": "4x0e + 2x1o", "l_max": 1, "atomic_energies": {1: -13.6}},
    "visnet": {"num_channels": 8, "num_heads": 2, "vecnorm_type": "rms"},
}


@pytest.mark.parametrize("architecture", architectures())
def test_each_architecture_has_its_own_hyperparameters(architecture: str) -> None:
    config_class = network_class(architecture).Config
    for hyperparameters in ({}, HYPERPARAMETERS.get(architecture, {})):
        mapping = study(runs__first__model={"architecture": architecture, **hyperparameters})
        loaded = load_study(mapping)
        model = loaded.run_config("first").model
        assert model.architecture == architecture
        assert type(model.network) is config_class
        assert model.network == config_class(**hyperparameters)
        # What a job gets, and what config.yaml of a run says, is the same model.
        dumped = loaded.model_dump(mode="json")
        assert dumped["runs"]["first"]["model"].keys() == {
            *config_class.model_fields,
            "architecture",
        }
        assert StudyConfig.model_validate(dumped).run_config("first").model == model


def test_a_model_that_does_not_say_which_is_mace() -> None:
    models = [{"num_channels": 4}, {"num_channels": 4, "architecture": "mace"}]
    first, second = (load_study(study(runs__first__model=model)) for model in models)
    assert first == second
    assert load_study(study()) == load_study(study(runs__first__model={"architecture": "mace"}))


def test_frames_must_have_the_labels_that_a_loss_weighs() -> None:
    def required(**changes: Any) -> tuple[str, ...]:
        return load_study(study(**changes)).datasets["water"].check.require

    assert required() == ("energy", "forces")
    assert required(runs__first__predict_stress=True) == ("energy", "forces", "stress")
    later = {"stress_weight": {0: 0, 10: 1}}
    given: dict[str, Any] = {"runs__first__loss": later, "runs__first__predict_stress": True}
    assert required(**given) == ("energy", "forces", "stress")
    only_forces = {"energy_weight": 0.0}
    given = {"runs__first__loss": only_forces, "datasets__water__check": {"require": []}}
    assert required(**given) == ("forces",)


def test_a_study_that_is_no_table() -> None:
    text = message({"datasets": ["water"], "runs": {}})
    assert "datasets: should be a table of keys and values" in text


def test_seeds_follow_names_and_can_be_given() -> None:
    mapping = study(runs__second={"dataset": "water", "training": {"num_epochs": 3}})
    loaded = load_study(mapping)
    first, second = (loaded.run_config(name) for name in ("first", "second"))
    assert first.seed != second.seed
    assert load_study(study()).run_config("first") == first
    assert load_study(study(seed=43)).run_config("first").seed != first.seed
    assert load_study(study(runs__first__seed=5)).run_config("first").seed == 5
    assert first.training.random_seed != second.training.random_seed

    split = loaded.split_config("water")
    assert split.train == 8
    assert load_study(study(seed=43)).split_config("water").seed != split.seed
    assert load_study(study(datasets__water__split__seed=7)).split_config("water").seed == 7


def test_files_that_are_missing_are_seen_before_any_job(tmp_path: Path) -> None:
    files = [str(tmp_path / "a.xyz"), str(tmp_path)]
    loaded = load_study(study(datasets__water__source={"files": files}))
    first, second = refusal(lambda: check_study(loaded)).splitlines()
    key = "config: datasets.water.source.files"
    assert first.startswith(f"{key}: {files[0]}: no such file; paths are ")
    assert second.startswith(f"{key}: {files[1]}: is a directory")


def reference_study(**changes: Any) -> StudyConfig:
    reference = {
        "calculator": "ase.calculators.emt.EMT",
        "dynamics": {
            "structure": "CH4",
            "temperatures_kelvin": [300],
            "frames_per_trajectory": 10,
        },
    }
    run = changes.pop("run", {})
    reference["dynamics"] |= changes.pop("dynamics", {})
    dataset = changes.pop("dataset", {})
    mapping = study(datasets__water__source={"reference": reference | changes})
    mapping["datasets"]["water"] |= dataset
    mapping["runs"]["first"] |= run
    return load_study(mapping)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"calculator": "ase.calculators.emt.EMTT"},
            (
                "source.reference.calculator: calculator 'ase.calculators.emt.EMTT': "
                "'ase.calculators.emt' has no 'EMTT', did you mean 'EMT'?"
            ),
        ),
        (
            {"calculator": "no_such_package.Calculator"},
            (
                "source.reference.calculator: calculator 'no_such_package.Calculator': cannot "
                "import 'no_such_package'"
            ),
        ),
        (
            {"dynamics": {"structure": "CH4O2"}},
            "source.reference.dynamics.structure: structure 'CH4O2': neither a file nor a molecule",
        ),
        (
            {"dataset": {"atomic_energies": "isolated_atoms"}},
            (
                "atomic_energies: 'isolated_atoms' needs frames of single atoms; "
                "set source.reference.isolated_atoms to true"
            ),
        ),
        (
            {"dataset": {"split": {"train": 8, "valid": 2, "test": 1}}},
            "split: too few frames: there are 10, the split needs 11 (train: 8, valid: 2, test: 1)",
        ),
        (
            {"dynamics": {"temperatures_kelvin": [300], "frames_per_trajectory": 8}},
            "split: valid: 0.1 of 8 frames is none; give more frames",
        ),
        (
            {"run": {"predict_stress": True}},
            "source.reference.dynamics.structure: CH4 has no cell, hence no stress, but ",
        ),
    ],
)
def test_reference_data_that_cannot_be_made(changes: dict[str, Any], expected: str) -> None:
    text = refusal(lambda: check_study(reference_study(**changes), "study.yaml"))
    assert text.startswith(f"study.yaml: datasets.water.{expected}")
    assert "\n" not in text


def test_reference_data_that_can_be_made() -> None:
    check_study(reference_study(isolated_atoms=True, dataset={"atomic_energies": "isolated_atoms"}))


def test_more_structures_to_train_on_than_the_split_has(tmp_path: Path) -> None:
    (tmp_path / "water.xyz").touch()
    files = {"datasets__water__source": {"files": [str(tmp_path / "water.xyz")]}}
    text = refusal(lambda: check_study(load_study(study(**files, runs__first__train_size=9))))
    assert text.startswith("config: runs.first.train_size: 9, but datasets.water.split.train is 8;")
    check_study(load_study(study(**files, runs__first__train_size=8)))


def test_a_split_without_frames_cannot_be_evaluated() -> None:
    only_trained = load_study(study(datasets__water__split__test=0))
    text = refusal(lambda: check_evaluated(only_trained, "water", "test"))
    assert text.startswith("config: datasets.water.split.test: no frames, but evaluation.splits ")
    check_evaluated(only_trained, "water", "valid")


def test_a_committee_is_compared_with_a_test_split() -> None:
    two = {
        "runs__second": study()["runs"]["first"],
        "committees__both": {"runs": ["first", "second"]},
    }
    check_calibrated(load_study(study(**two)), "both")
    without = load_study(study(**two, datasets__water__split__test=0))
    text = refusal(lambda: check_calibrated(without, "both"))
    assert text.startswith("config: datasets.water.split.test: no frames, but committees.both ")


def test_replayed_frames_need_the_same_labels() -> None:
    more = {
        "datasets__old": {"source": {"files": ["old.xyz"]}, "split": {}},
        "runs__second": {"dataset": "old", "predict_stress": True, "training": {"num_epochs": 3}},
        "runs__first__init_from": "second",
        "runs__first__finetune": {"replay": {"dataset": "old"}},
        "select_best": {"metric": "mae_f"},
    }
    assert message(study(**more)).startswith(
        "study.yaml: runs.first.finetune.replay: old requires energy, forces, stress, water energy,"
    )
    more["datasets__water__check"] = {"require": ["energy", "forces", "stress"]}
    load_study(study(**more))


def test_losses_that_differ_are_not_compared() -> None:
    other = {"dataset": "water", "training": {"num_epochs": 3}}
    visnet = other | {"model": {"architecture": "visnet"}}
    assert message(study(runs__second=visnet)) == (
        "study.yaml: select_best.metric: 'loss' is not the same in all runs (loss.energy_weight is"
        " 1000.0 in first, 100.0 in second); choose an error, for example mae_f"
    )
    load_study(study(runs__second=visnet, select_best={"metric": "mae_f"}))
    load_study(study(runs__second=visnet | {"loss": {"energy_weight": 1000}}))
    load_study(study(runs__second=other | {"loss": {"extended_metrics": False}}))


def test_spacing_is_a_number_of_steps() -> None:
    with pytest.raises(UserError, match=r"spacing_fs \(1.5\) must be a whole multiple"):
        reference_study(dynamics={"spacing_fs": 1.5})


def test_same_temperature_twice() -> None:
    with pytest.raises(UserError, match="the same temperature stands twice"):
        reference_study(dynamics={"temperatures_kelvin": [300, 300.0]})
