"""How a model was made: settings, data, machine, versions."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mlip_core.report.elements import Appendix, Fact
from mlip_core.report.formats import duration, significant, thousands
from mlip_core.report.results import EntryResults

_MODEL_SIZES = {
    "num_layers": "layers",
    "num_channels": "channels",
    "node_irreps": "node irreps",
    "num_heads": "heads",
    "l_max": "l_max",
    "correlation": "correlation",
}


def run_facts(run: EntryResults) -> Iterator[Fact]:
    """What was run on what, from the run's provenance."""
    config = run.provenance.get("config", {})
    yield from _model_facts(config)
    if run.n_parameters is not None:
        yield Fact("Parameters", thousands(run.n_parameters))
    yield from _training_facts(run, config)
    yield from _machine_facts(run.provenance)
    for path, digest in run.provenance.get("inputs", {}).items():
        yield Fact("Input", f"{path}, SHA-256 {digest}")


def model_text(config: Mapping[str, Any]) -> str:
    """``mace, layers 2, channels 32``."""
    model = config.get("model", {})
    sizes = [f"{text} {model[key]}" for key, text in _MODEL_SIZES.items() if key in model]
    return ", ".join([str(model.get("architecture", "unknown")), *sizes])


def versions_text(provenance: Mapping[str, Any]) -> str:
    """``python 3.11.2, jax 0.10.2``."""
    return ", ".join(f"{name} {text}" for name, text in provenance.get("versions", {}).items())


def appendices(run: EntryResults) -> Iterator[Appendix]:
    """The files that say all of it."""
    if run.config:
        yield Appendix("The run's configuration (config.yaml)", run.config)
    if run.provenance:
        text = json.dumps(run.provenance, indent=2, ensure_ascii=False)
        yield Appendix("Provenance (provenance.json)", text)


def _model_facts(config: Mapping[str, Any]) -> Iterator[Fact]:
    if "model" in config:
        yield Fact("Model", model_text(config))
    if loss := config.get("loss"):
        weights = [
            f"{name} {_weight(loss[f'{name}_weight'])}" for name in ("energy", "forces", "stress")
        ]
        yield Fact("Loss", f"{str(loss['name']).upper()} with weights {', '.join(weights)}")


def _weight(weight: float | Mapping[str, float]) -> str:
    """A number, or the numbers from given epochs on."""
    if not isinstance(weight, Mapping):
        return f"{weight:g}"
    return " then ".join(f"{value:g} (from epoch {epoch})" for epoch, value in weight.items())


def _training_facts(run: EntryResults, config: Mapping[str, Any]) -> Iterator[Fact]:
    if (epochs := run.last_epoch) is not None:
        best = run.provenance.get("best_epoch")
        chosen = "" if best is None else f", of which number {best} was best in validation"
        yield Fact("Epochs", f"{thousands(epochs)}{chosen}")
    if "batch_size" in config:
        yield Fact("Batch size", f"{config['batch_size']} structures")
    if config.get("train_size") is not None:
        yield Fact("Trained on", f"{thousands(config['train_size'])} structures of the split")
    if config.get("init_from"):
        yield Fact("Started from", str(config["init_from"]))
    if run.training_seconds is not None:
        yield Fact("Training time", duration(run.training_seconds))
    if "graphs_per_second" in run.timing:
        speed = significant(run.timing["graphs_per_second"].median())
        yield Fact("Training speed", f"{speed} structures per second")
    if "seed" in config:
        yield Fact("Seed", str(config["seed"]))


def _machine_facts(provenance: Mapping[str, Any]) -> Iterator[Fact]:
    if "started" in provenance:
        text = f"{_time(provenance['started'])} to {_time(provenance['finished'])}"
        yield Fact("Last session", text)
    if "devices" in provenance:
        yield Fact("Devices", ", ".join(provenance["devices"]))
    if host := provenance.get("host"):
        yield Fact("Machine", f"{host['name']}, {host['platform']}")
    if provenance.get("versions"):
        yield Fact("Versions", versions_text(provenance))
    if git := provenance.get("git"):
        state = ", with local changes" if git["modified"] else ""
        yield Fact("Code", f"commit {git['commit'][:12]}{state}")


def _time(stamp: str) -> str:
    return stamp.replace("T", " ").replace("+00:00", " UTC")
