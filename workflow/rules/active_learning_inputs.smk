"""What the rules of committees and active learning ask of the study."""

from types import SimpleNamespace

from mlip_core.study import active_learning as rounds
from mlip_core.utils.seeds import derive_seed


wildcard_constraints:
    committee="|".join(map(re.escape, STUDY.committees)) or "none",
    learning="|".join(map(re.escape, STUDY.active_learning)) or "none",
    round="[1-9][0-9]*",


def learning_of(wildcards):
    """The config of the active learning that a job belongs to."""
    return STUDY.active_learning[wildcards.learning]


def pool_files(wildcards):
    """The files to choose structures from."""
    pool = learning_of(wildcards).pool
    if pool.files:
        return here(pool.files)
    return source_files(SimpleNamespace(dataset=pool.dataset))


def pool_index(wildcards):
    """Which frames of a dataset to choose structures from have passed its check."""
    dataset = learning_of(wildcards).pool.dataset
    return f"results/datasets/{dataset}/frames.safetensors" if dataset else []


def pool_labels(wildcards):
    """Keys and units of a dataset to choose structures from."""
    dataset = learning_of(wildcards).pool.dataset
    return as_params(STUDY.datasets[dataset].labels) if dataset else None


def dataset_before(wildcards):
    """The directory of the dataset of the round before."""
    name = rounds.round_dataset(
        wildcards.learning, learning_of(wildcards), int(wildcards.round) - 1
    )
    return f"results/datasets/{name}"


def models_before(wildcards):
    """The models of the round before, if they have a say."""
    config = learning_of(wildcards)
    if config.select.strategy == "random":
        return []
    runs = rounds.round_runs(wildcards.learning, config, int(wildcards.round) - 1)
    return expand("results/models/{run}.zip", run=runs)


def label_calculator(wildcards):
    """The calculator that labels what was chosen."""
    config = learning_of(wildcards)
    calculator = config.label or STUDY.datasets[config.dataset].source.reference
    return calculator.model_dump(mode="json", include={"calculator", "arguments"})


def learning_rounds(learning):
    """Entry and dataset of each round: the committee, or its only run."""
    config = STUDY.active_learning[learning]
    return [
        (
            f"{learning}-r{number}" if config.committee > 1 else run,
            rounds.round_dataset(learning, config, number),
        )
        for number in range(config.rounds + 1)
        for run in rounds.round_runs(learning, config, number)[:1]
    ]
