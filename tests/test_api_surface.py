"""What imports the 0.1 API finds the same modules, names, parameters and defaults here."""

import ast
import dataclasses
import enum
import inspect
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

API = tomllib.loads((Path(__file__).parent / "api_0_1.toml").read_text())
_MISSING = inspect.Parameter.empty


# Where this package is not like that, and why; none of it is re-exported by a package, named by
# the guide, or a config.
DIFFERENT = {
    # Its default there, 1, drops isolated atoms, whose energies are labels like others.
    "data.helpers.graph_dataset.GraphDataset": "min_n_edge is 0: isolated atoms are kept",
    # Its `num_species` there makes room for species that no structure of the dataset can have.
    "models.atomic_energies.get_atomic_energies": "energies of the dataset's elements, no others",
    # Inner blocks take features as arrays by irrep, not as an IrrepsArray of e3nn-jax: what comes
    # in says itself what it is.
    "models.blocks.FullyConnectedTensorProduct": "there are no irreps_in1 and irreps_in2",
    "models.blocks.Linear": "there are no irreps_in",
    "models.blocks.LinearNodeEmbeddingBlock": "a number of channels, as there are only scalars",
    # Nothing could raise them: engines are ready when they are made, and files have paths.
    "simulation.exceptions": "neither error can happen",
    # Inner parts of an engine on top of jax-md, which is not used here: what takes and returns
    # its states and neighbour lists would have no use.
    "simulation.jax_md.helpers": "the engine has an integrator and a neighbour list of its own",
    "simulation.jax_md.jaxmd_utils": "the engine has an integrator of its own",
    "simulation.jax_md.states": "the engine has a state of its own",
    # Averages over batches are not averages over structures where batches are not equally full.
    "training.evaluation.make_evaluation_step": "metrics are sums, not averages over batches",
    "training.evaluation.run_evaluation": "metrics are sums, not averages over batches",
    "training.training_step.make_train_step": "losses are sums, not averages over batches",
    # It makes Orbax think that there is one process; here each checkpoint is of all of them.
    "utils.multihost.single_host_jax_and_orbax": "checkpoints of processes need no disguise",
}


def names_with_modules() -> list[tuple[str, str, Any]]:
    return [
        (module, name, expected)
        for module, names in API.items()
        for name, expected in names.items()
        if name != "exports"
    ]


def is_different(module: str, name: str) -> bool:
    return module in DIFFERENT or f"{module}.{name}" in DIFFERENT


def entries(different: bool) -> list:
    """One for each name of each module."""
    return [
        pytest.param(module, name, expected, id=f"{module}.{name}")
        for module, name, expected in names_with_modules()
        if is_different(module, name) == different
    ]


@pytest.mark.parametrize("module", [name for name in API if "exports" in API[name]])
def test_packages_export_the_names(module: str) -> None:
    package = import_module(f"mlip_core.{module}")
    missing = [name for name in API[module]["exports"] if not hasattr(package, name)]
    assert missing == []


@pytest.mark.parametrize(("module", "name", "expected"), entries(different=True))
def test_what_is_said_to_be_different_is(module: str, name: str, expected: Any) -> None:
    with pytest.raises((AssertionError, AttributeError, ImportError)):
        check_name(module, name, expected)


def test_what_is_said_to_be_different_is_in_the_api() -> None:
    known = API.keys() | {f"{module}.{name}" for module, name, _ in names_with_modules()}
    assert DIFFERENT.keys() <= known
    configs = [name for name in DIFFERENT if name.endswith("Config")]
    assert configs == []


@pytest.mark.parametrize(("module", "name", "expected"), entries(different=False))
def test_name_is_there_and_takes_the_same(module: str, name: str, expected: Any) -> None:
    check_name(module, name, expected)


def check_name(module: str, name: str, expected: Any) -> None:
    """Raise unless the name is there as it should be."""
    found = getattr(import_module(f"mlip_core.{module}"), name)
    if isinstance(expected, str):
        check_signature(found, expected)
        return
    assert inspect.isclass(found)
    for member, value in expected.items():
        if member == "fields":
            check_fields(found, value)
        elif member == "properties":
            assert all(hasattr(found, part) for part in value.split(", "))
        elif member == "members":
            assert issubclass(found, enum.Enum)
            assert set(value.split(", ")) <= found.__members__.keys()
        else:
            check_signature(getattr(found, member), value)


def check_signature(function: Any, expected: str) -> None:
    """The parameters are there in this order, with these defaults; more of ours have defaults."""
    parameters = dict(inspect.signature(function).parameters)
    parameters.pop("self", None)
    wanted = parsed(expected)
    for (name, default), parameter in zip(wanted.items(), parameters.values(), strict=False):
        assert parameter.name == name
        assert_same_default(default, parameter.default, name)
    assert len(parameters) >= len(wanted)
    for parameter in list(parameters.values())[len(wanted) :]:
        is_optional = parameter.default is not _MISSING
        assert is_optional or parameter.kind in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        )


def check_fields(found: type, expected: str) -> None:
    """A config has the fields with these defaults, any other class the attributes."""
    wanted = parsed(f"({expected})")
    if issubclass(found, BaseModel):
        for name, default in wanted.items():
            field = found.model_fields[name]
            actual = (
                _MISSING if field.is_required() else field.get_default(call_default_factory=True)
            )
            assert_same_default(default, actual, name)
        return
    names = {name for base in found.__mro__ for name in vars(base).get("__annotations__", {})}
    if dataclasses.is_dataclass(found):
        names |= {field.name for field in dataclasses.fields(found)}
    assert wanted.keys() <= names


def parsed(signature: str) -> dict[str, Any]:
    """Parameters and defaults of ``(a, b=1, c=...)``."""
    function = ast.parse(f"def f{signature}: pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    arguments = function.args
    defaults = [ast.literal_eval(default) for default in arguments.defaults]
    names = [argument.arg for argument in arguments.args]
    without = len(names) - len(defaults)
    wanted = dict(zip(names, [_MISSING] * without + defaults, strict=True))
    for several in (arguments.vararg, arguments.kwarg):
        if several is not None:
            wanted[several.arg] = _MISSING
    return wanted


def assert_same_default(expected: Any, actual: Any, name: str) -> None:
    if expected is ...:
        assert actual is not _MISSING, f"{name} has no default"
    elif expected is _MISSING:
        return  # a default where the other library has none breaks nobody's call
    else:
        assert actual == expected, name
