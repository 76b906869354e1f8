"""How a run that starts from a trained model is trained."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat

from mlip_core.study.config_base import Closed


class ReplayConfig(Closed):
    """Structures of an earlier dataset among those that are trained on, against forgetting.

    They are always the same random sample of its training split, and have the same place in the
    order of an epoch as any other structure.
    """

    dataset: str = Field(description="Name of the earlier dataset.")
    share: float = Field(
        default=0.2, gt=0, lt=1, description="Share of its structures in the training set."
    )


class FinetuneConfig(Closed):
    """How to go on from the model of `init_from`.

    The cutoff, the normalisations and all hyperparameters are the model's, so that the training
    starts from the very function that was learned.
    """

    trainable: Literal["all", "heads"] | Annotated[list[str], Field(min_length=1)] = Field(
        default="all",
        description="What changes: `all` parameters; `heads`, the new readout heads if the run has "
        "more than the model, else all that turns features into energies; or a list of blocks by "
        "their names in the model, e.g. `[layer_1]`.",
    )
    elements: Literal["model", "dataset"] = Field(
        default="model",
        description="Which elements the new model knows: all that the `model` knows, or only those "
        "of the `dataset` and the replayed one, which makes it smaller.",
    )
    atomic_energies: Literal["fit", "dataset", "model"] = Field(
        default="fit",
        description="Energies of free atoms: those of the `model`; those of the `dataset`, the "
        "model's for elements that it lacks; or those of the model corrected by a least-squares "
        "`fit` of what its energies of the training set are off, which allows for another level of "
        "theory.",
    )
    new_heads_scale: NonNegativeFloat = Field(
        default=0.1,
        description="Factor on the random weights of new readout heads "
        "(`model.num_readout_heads`): the less, the nearer to the model the training starts.",
    )
    replay: ReplayConfig | None = Field(
        default=None, description="Structures of an earlier dataset to train on as well."
    )
