"""Runs that start from other runs or from zips: whose network they have, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from mlip_core.study.checks import check_study
from mlip_core.study.config import StudyConfig, load_study
from mlip_core.utils.errors import UserError

ZIPS = Path(__file__).parents[1] / "golden" / "zips"  # of the mlip 0.1 series, cutoff 3 Å
SMALL = {"num_layers": 1, "num_channels": 8}


def study(cutoff: float = 3.0, **runs: dict[str, Any]) -> StudyConfig:
    datasets = {
        name: {
            "source": {"files": [str(ZIPS / "predictions.json")]},
            "split": {},
            "graph": {"graph_cutoff_angstrom": cutoff},
        }
        for name in ("old", "new")
    }
    common = {"dataset": "new", "training": {"num_epochs": 1}}
    written = {name: common | run for name, run in runs.items()}
    return load_study({"datasets": datasets, "runs": written})


def test_a_run_has_the_network_of_the_run_it_starts_from() -> None:
    chain = study(
        last={"init_from": "second", "model": {"num_readout_heads": 2}},
        second={"init_from": "first"},
        first={"model": SMALL | {"atomic_energies": "zero"}},
    )
    assert chain.runs["second"].model.network == chain.runs["first"].model.network.model_copy(
        update={"atomic_energies": None}
    )
    assert chain.runs["last"].model.network.num_channels == 8
    assert chain.runs["last"].model.network.num_readout_heads == 2


@pytest.mark.parametrize("architecture", ["mace", "nequip", "visnet"])
def test_a_run_has_the_network_of_a_foreign_zip(architecture: str) -> None:
    run = study(tuned={"init_from": str(ZIPS / f"{architecture}.zip")}).runs["tuned"]
    assert run.model.architecture == architecture
    assert run.model.network.num_layers == 1


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (
            {"a": {"init_from": "b"}, "b": {"init_from": "c"}, "c": {"init_from": "a"}},
            r"runs: init_from goes in a circle: (\w → ){3}\w; let one",
        ),
        ({"a": {"init_from": "a"}}, "runs: init_from goes in a circle: a → a"),
        (
            {"base": {}, "tuned": {"init_from": "bose"}},
            "runs.tuned.init_from: 'bose' is neither a run, did you mean 'base'.* nor a file",
        ),
        (
            {"a": {"model": SMALL}, "b": {"init_from": "a", "model": {"num_channels": 16}}},
            "runs.b.model.num_channels: 16, but a, which the run starts from, has 8; leave",
        ),
        (
            {"a": {"model": SMALL}, "b": {"init_from": "a", "model": {"architecture": "nequip"}}},
            "runs.b.model.architecture: 'nequip', but a, .* has 'mace'",
        ),
        (
            {
                "a": {"model": SMALL | {"num_readout_heads": 3}},
                "b": {"init_from": "a", "model": {"num_readout_heads": 2}},
            },
            "runs.b.model.num_readout_heads: 2, but a, .* has 3",
        ),
        ({"a": {"finetune": {"trainable": "heads"}}}, "runs.a: finetune: there is no init_from"),
        (
            {"a": {}, "b": {"init_from": "a", "finetune": {"replay": {"dataset": "odl"}}}},
            "runs.b.finetune.replay.dataset: there is no dataset 'odl', did you mean 'old'",
        ),
    ],
)
def test_mistakes_are_said_in_one_line(runs: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        study(**runs)
    assert "\n" not in str(error.value)


def test_a_mistake_in_the_model_is_said_as_everywhere() -> None:
    with pytest.raises(UserError, match=r"runs.b.model.num_chanels: unknown key"):
        study(a={"model": SMALL}, b={"init_from": "a", "model": {"num_chanels": 4}})


def test_other_cutoffs_are_seen_before_anything_runs() -> None:
    with pytest.raises(UserError, match=r"runs.a.init_from: .*zip has a cutoff of 3.0 Å; set data"):
        check_study(study(cutoff=4.0, a={"init_from": str(ZIPS / "mace.zip")}))
    check_study(study(cutoff=4.0, a={}, b={"init_from": "a"}))
