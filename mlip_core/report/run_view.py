"""What the page says about one run."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlip_core.evaluation import Evaluation
from mlip_core.evaluation.metrics import pooled_forces
from mlip_core.report import figures
from mlip_core.report.figures import FigureFile, FigureWriter
from mlip_core.report.formats import duration, significant, thousands
from mlip_core.report.leaderboard import last_epoch, training_seconds
from mlip_core.report.results import NveOutcome, RunResults

_MILLI = 1000.0


@dataclass(frozen=True)
class ErrorRow:
    """One line of a table of errors, in the units of the page."""

    label: str
    unit: str
    rmse: float
    mae: float
    max: float
    count: int
    r2: float | None = None
    relative_rmse_percent: float | None = None


@dataclass(frozen=True)
class TestView:
    """Errors on one test set."""

    name: str
    caption: str
    errors: Sequence[ErrorRow]
    config_types: Sequence[ErrorRow]
    figures: Sequence[FigureFile]


@dataclass(frozen=True)
class NveView:
    """Dynamics at constant energy."""

    passed: bool
    sentence: str
    figures: Sequence[FigureFile]


@dataclass(frozen=True)
class Fact:
    """A name and what there is to say."""

    label: str
    value: str


@dataclass(frozen=True)
class Appendix:
    """A file shown as it is, folded away."""

    title: str
    text: str


@dataclass(frozen=True)
class RunView:
    """One run."""

    name: str
    best: bool
    tests: Sequence[TestView]
    learning_curves: Sequence[FigureFile]
    nve: NveView | None
    facts: Sequence[Fact]
    appendices: Sequence[Appendix]


def run_view(run: RunResults, writer: FigureWriter) -> RunView:
    """Draw a run's figures and put together what is said about it."""
    return RunView(
        name=run.name,
        best=run.is_best,
        tests=[_test(run.name, test, e, writer) for test, e in run.evaluations.items()],
        learning_curves=list(_learning_curves(run, writer)),
        nve=None if run.nve is None else _nve(run.name, run.nve, writer),
        facts=list(_facts(run)),
        appendices=list(_appendices(run)),
    )


def _test(run: str, test: str, evaluation: Evaluation, writer: FigureWriter) -> TestView:
    metrics = evaluation.metrics
    n_structures, n_atoms = metrics["n_structures"], metrics["n_atoms"]
    return TestView(
        name=test,
        caption=f"{thousands(n_structures)} structures with {thousands(n_atoms)} atoms in all, "
        "none of them seen in training",
        errors=list(_error_rows(metrics)),
        config_types=list(_config_type_rows(metrics)),
        figures=[
            *_energy_figures(f"{run}-{test}", evaluation, writer),
            *_force_figures(f"{run}-{test}", evaluation, writer),
        ],
    )


def _error_rows(metrics: Mapping[str, Any]) -> Iterator[ErrorRow]:
    yield from _row("Energy per atom", "meV/atom", metrics["energy_per_atom"])
    yield from _row("Energy of a structure", "meV", metrics["energy"])
    yield from _row("Forces", "meV/Å", metrics["forces"])
    for element, errors in metrics["forces_by_element"].items():
        yield from _row(f"Forces on {element}", "meV/Å", errors)
    yield from _row("Force vectors", "meV/Å", metrics["forces_vector"])
    yield from _row("Stress", "meV/Å³", metrics["stress"])


def _config_type_rows(metrics: Mapping[str, Any]) -> Iterator[ErrorRow]:
    groups = metrics["by_config_type"]
    for name, errors in groups.items() if len(groups) > 1 else ():
        yield from _row(f"{name}: energy per atom", "meV/atom", errors["energy_per_atom"])
        yield from _row(f"{name}: forces", "meV/Å", errors["forces"])


def _row(label: str, unit: str, errors: Mapping[str, Any] | None) -> Iterator[ErrorRow]:
    if errors is not None:
        yield ErrorRow(
            label=label,
            unit=unit,
            rmse=_MILLI * errors["rmse"],
            mae=_MILLI * errors["mae"],
            max=_MILLI * errors["max"],
            count=errors["count"],
            r2=errors.get("r2"),
            relative_rmse_percent=errors.get("relative_rmse_percent"),
        )


def _energy_figures(
    name: str, evaluation: Evaluation, writer: FigureWriter
) -> Iterator[FigureFile]:
    """Parity and errors of interaction energies per atom."""
    labelled = [s for s in evaluation.structures if s.reference.interaction_energy is not None]
    if not labelled:
        return
    n_atoms = np.array([s.n_atoms for s in labelled])
    reference = np.array([s.reference.interaction_energy for s in labelled]) / n_atoms
    predicted = np.array([s.predicted.interaction_energy for s in labelled]) / n_atoms
    errors = evaluation.metrics["energy_per_atom"]
    yield from _parity_and_errors(
        f"{name}-energy",
        "energy",
        "eV/atom",
        (reference, predicted),
        ("meV/atom", errors),
        writer,
    )


def _force_figures(name: str, evaluation: Evaluation, writer: FigureWriter) -> Iterator[FigureFile]:
    _, reference, predicted = pooled_forces(evaluation.structures)
    if not reference.size:
        return
    errors = evaluation.metrics["forces"]
    yield from _parity_and_errors(
        f"{name}-forces",
        "force component",
        "eV/Å",
        (reference, predicted),
        ("meV/Å", errors),
        writer,
    )


def _parity_and_errors(
    name: str,
    quantity: str,
    unit: str,
    values: tuple[np.ndarray, np.ndarray],
    errors: tuple[str, Mapping[str, Any]],
    writer: FigureWriter,
) -> Iterator[FigureFile]:
    reference, predicted = values
    error_unit, summary = errors
    rmse = f"{significant(_MILLI * summary['rmse'])} {error_unit}"
    yield writer.write(
        f"{name}-parity",
        figures.parity(reference, predicted, f"{quantity} ({unit})", f"RMSE {rmse}"),
        alt=f"Predicted against reference {quantity}: the points lie along the diagonal with an "
        f"RMSE of {rmse}.",
        caption=f"{quantity.capitalize()}: predicted against reference. On the grey line both are "
        "equal.",
    )
    yield writer.write(
        f"{name}-errors",
        figures.error_histogram(_MILLI * (predicted - reference), f"{quantity} ({error_unit})"),
        alt=f"Histogram of the errors of the {quantity}, RMSE {rmse}.",
        caption=f"Errors of the {quantity}, predicted minus reference.",
    )


@dataclass(frozen=True)
class Curve:
    """A metric of the history as it is plotted: its values times ``factor`` have the unit."""

    metric: str
    name: str
    unit: str
    factor: float

    @property
    def label(self) -> str:
        """Of an axis."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


_LOSS = Curve("loss", "loss", "", 1.0)
_ERRORS = (
    Curve("rmse_f", "force RMSE", "meV/Å", _MILLI),
    Curve("rmse_e_per_atom", "energy RMSE", "meV/atom", _MILLI),
    Curve("rmse_e", "energy RMSE", "meV", _MILLI),
    Curve("rmse_stress", "stress RMSE", "meV/Å³", _MILLI),
)
_SPLITS = {"train": "training", "valid": "validation"}


def error_curves(history: pd.DataFrame) -> list[Curve]:
    """The errors on the validation set that a history has; energies per atom if it can be."""
    known = [curve for curve in _ERRORS if f"valid_{curve.metric}" in history]
    per_atom = any(curve.metric == "rmse_e_per_atom" for curve in known)
    return [curve for curve in known if not (per_atom and curve.metric == "rmse_e")]


def _learning_curves(run: RunResults, writer: FigureWriter) -> Iterator[FigureFile]:
    for curve in (_LOSS, *error_curves(run.history)):
        series = {
            label: values
            for split, label in _SPLITS.items()
            if (values := learning_curve(run.history, split, curve)) is not None
        }
        if series:
            ends = _ends(series, curve.unit)
            text = f"{curve.name[0].upper()}{curve.name[1:]} by epoch; at the end {ends}."
            yield writer.write(
                f"{run.name}-learning-{curve.metric}",
                figures.learning_curve(series, curve.label),
                alt=text,
                caption=text,
            )


def learning_curve(history: pd.DataFrame, split: str, curve: Curve) -> pd.Series | None:
    """Values by epoch in the curve's unit; ``None`` if no epoch has one."""
    column = f"{split}_{curve.metric}"
    if column not in history:
        return None
    series = history.set_index("epoch")[column].dropna() * curve.factor
    return None if series.empty else series


def _ends(curves: Mapping[str, pd.Series], unit: str) -> str:
    ends = [f"{significant(s.iloc[-1])} {unit}".strip() for s in curves.values()]
    return " and ".join(f"{end} in {label}" for end, label in zip(ends, curves, strict=True))


def _nve(run: str, nve: NveOutcome, writer: FigureWriter) -> NveView:
    return NveView(
        passed=nve.summary["passed"],
        sentence=nve_sentence(nve.summary),
        figures=list(_nve_figures(run, nve, writer)),
    )


def nve_sentence(summary: Mapping[str, Any]) -> str:
    """The outcome in words, to follow on "passed:" or "failed:"."""
    config = summary["config"]
    length = f"{summary['simulated_time_fs'] / 1000:g} ps"
    setting = (
        f"{length} of {summary['formula']} at {config['temperature_kelvin']:g} K "
        f"with a time step of {config['timestep_fs']:g} fs"
    )
    if summary["explosion"] is not None:
        return f"the dynamics blew up, {summary['explosion']} ({setting})."
    return (
        f"the total energy drifts by {significant(summary['drift_mev_per_atom'])} meV/atom in "
        f"{setting}; the limit is {config['max_drift_mev_per_atom']:g} meV/atom. "
        f"Mean temperature {summary['mean_temperature_kelvin']:.0f} K."
    )


def _nve_figures(run: str, nve: NveOutcome, writer: FigureWriter) -> Iterator[FigureFile]:
    config = nve.summary["config"]
    finite = nve.trace[np.isfinite(nve.trace).all(axis=1)]
    if finite.empty:
        return
    time = finite["time_fs"].to_numpy() / 1000.0
    total = finite["total_energy_ev"].to_numpy()
    energy = _MILLI * (total - total[0]) / nve.summary["n_atoms"]
    drift = significant(nve.summary["drift_mev_per_atom"])
    yield writer.write(
        f"{run}-nve-energy",
        figures.energy_trace(time, energy, config["max_drift_mev_per_atom"]),
        alt=f"Total energy against time; the fitted line drifts by {drift} meV/atom.",
        caption="Total energy relative to its first value, with the straight line whose slope is "
        "the drift. The grey band is the limit of the drift. The ripple is the integrator's.",
    )
    yield writer.write(
        f"{run}-nve-temperature",
        figures.temperature_trace(
            time, finite["temperature_kelvin"].to_numpy(), config["temperature_kelvin"]
        ),
        alt=f"Temperature against time, around {nve.summary['mean_temperature_kelvin']:.0f} K.",
        caption=_temperature_caption(config),
    )


def _temperature_caption(config: Mapping[str, Any]) -> str:
    if config["start"] == "relaxed":
        return (
            "Temperature of internal motion. The run starts from the relaxed structure with twice "
            "the temperature; about half of it flows into the potential energy."
        )
    return "Temperature of internal motion. The run starts from the given structure."


def _facts(run: RunResults) -> Iterator[Fact]:
    config = run.provenance.get("config", {})
    yield Fact("Dataset", run.inputs.dataset)
    yield from _model_facts(config)
    yield from _training_facts(run, config)
    yield from _machine_facts(run.provenance)


def _model_facts(config: Mapping[str, Any]) -> Iterator[Fact]:
    if model := config.get("model"):
        sizes = [f"{text} {model[key]}" for key, text in _MODEL_SIZES.items() if key in model]
        yield Fact("Model", ", ".join([str(model["architecture"]), *sizes]))
    if loss := config.get("loss"):
        weights = [
            f"{name} {_weight(loss[f'{name}_weight'])}" for name in ("energy", "forces", "stress")
        ]
        yield Fact("Loss", f"{str(loss['name']).upper()} with weights {', '.join(weights)}")


_MODEL_SIZES = {
    "num_layers": "layers",
    "num_channels": "channels",
    "node_irreps": "node irreps",
    "num_heads": "heads",
    "l_max": "l_max",
    "correlation": "correlation",
}


def _weight(weight: float | Mapping[str, float]) -> str:
    """A number, or the numbers from given epochs on."""
    if not isinstance(weight, Mapping):
        return f"{weight:g}"
    return " then ".join(f"{value:g} (from epoch {epoch})" for epoch, value in weight.items())


def _training_facts(run: RunResults, config: Mapping[str, Any]) -> Iterator[Fact]:
    if (epochs := last_epoch(run)) is not None:
        best = run.provenance.get("best_epoch")
        chosen = "" if best is None else f", of which number {best} was best in validation"
        yield Fact("Epochs", f"{thousands(epochs)}{chosen}")
    if "batch_size" in config:
        yield Fact("Batch size", f"{config['batch_size']} structures")
    if (seconds := training_seconds(run)) is not None:
        yield Fact("Training time", duration(seconds))
    if "graphs_per_second" in run.timing:
        speed = significant(run.timing["graphs_per_second"].median())
        yield Fact("Training speed", f"{speed} structures per second")
    if "seed" in config:
        yield Fact("Seed", str(config["seed"]))


def _machine_facts(provenance: Mapping[str, Any]) -> Iterator[Fact]:
    if "started" in provenance:
        yield Fact("Run", f"{_time(provenance['started'])} to {_time(provenance['finished'])}")
    if "devices" in provenance:
        yield Fact("Devices", ", ".join(provenance["devices"]))
    if host := provenance.get("host"):
        yield Fact("Machine", f"{host['name']}, {host['platform']}")
    if versions := provenance.get("versions"):
        yield Fact("Versions", ", ".join(f"{name} {text}" for name, text in versions.items()))
    if git := provenance.get("git"):
        state = ", with local changes" if git["modified"] else ""
        yield Fact("Code", f"commit {git['commit'][:12]}{state}")


def _time(stamp: str) -> str:
    return stamp.replace("T", " ").replace("+00:00", " UTC")


def _appendices(run: RunResults) -> Iterator[Appendix]:
    if run.config:
        yield Appendix("The run's configuration (config.yaml)", run.config)
    if run.provenance:
        text = json.dumps(run.provenance, indent=2, ensure_ascii=False)
        yield Appendix("Provenance (provenance.json)", text)
