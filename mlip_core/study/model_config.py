"""The model of a run: an architecture and its hyperparameters.

The configs are made from the registry of networks, so a network that is found there is known to
the study file, its JSON schema and its reference.
"""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, Field, create_model

from mlip_core.models.network_config import NetworkConfig
from mlip_core.models.registry import architectures, config_class

DEFAULT_ARCHITECTURE = "mace"
"""What a model is that does not say which."""


class ModelConfig(BaseModel):
    """The network: its architecture and hyperparameters."""

    architecture: str = Field(description="Which network; the other keys are its hyperparameters.")

    @property
    def network(self) -> NetworkConfig:
        """The config of the network itself."""
        hyperparameters = self.model_dump(exclude={"architecture"})
        return config_class(self.architecture)(**hyperparameters)


def _config_class(architecture: str) -> type[ModelConfig]:
    """The network's config with a key for its name, which only the default one may leave out."""
    hyperparameters = config_class(architecture)
    only_name: Any = Literal[architecture]
    created = create_model(
        hyperparameters.__name__.replace("Config", "ModelConfig"),
        __base__=(ModelConfig, hyperparameters),
        __doc__=hyperparameters.__doc__,
        __module__=__name__,
        architecture=(
            only_name,
            Field(
                default=architecture if architecture == DEFAULT_ARCHITECTURE else ...,
                description=ModelConfig.model_fields["architecture"].description,
            ),
        ),
    )
    return cast(type[ModelConfig], created)


def _name_architecture(model: object) -> object:
    """The table with the key that says what the other keys are."""
    if isinstance(model, ModelConfig):
        return model
    if not isinstance(model, Mapping):
        raise ValueError("should be a table with the key `architecture`")
    return {"architecture": DEFAULT_ARCHITECTURE, **model}


_CONFIG_CLASSES = {name: _config_class(name) for name in architectures()}

if TYPE_CHECKING:
    AnyModelConfig = ModelConfig
else:
    AnyModelConfig = Annotated[
        reduce(or_, _CONFIG_CLASSES.values()),
        Field(discriminator="architecture"),
        BeforeValidator(_name_architecture),
    ]


def default_model() -> ModelConfig:
    """The default network with its defaults."""
    return _CONFIG_CLASSES[DEFAULT_ARCHITECTURE](architecture=DEFAULT_ARCHITECTURE)
