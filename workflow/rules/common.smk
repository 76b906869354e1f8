"""The study of this run and what the rules ask of it."""

import logging

from mlip_core.data.shards import shard_name
from mlip_core.data.splits import SPLITS
from mlip_core.reference import is_molecule_name, reference_parts
from mlip_core.study.checks import check_study
from mlip_core.study.config import load_study
from mlip_core.study.runtime import share_compiled_programs
from mlip_core.utils.errors import exit_on_user_error

# A library under the configs logs through a handler of its own for all, Snakemake's lines included.
logging.getLogger().handlers.clear()

CONFIG_FILES = workflow.overwrite_configfiles or workflow.configfiles

with exit_on_user_error():
    STUDY = load_study(config, source=", ".join(map(str, CONFIG_FILES)) or "config")
    check_study(STUDY)

if STUDY.execution.compilation_cache:
    share_compiled_programs(STUDY.execution.compilation_cache)

TESTSETS = ("test",)
ENVIRONMENT = "../../environment.yml"


wildcard_constraints:
    dataset="|".join(map(re.escape, STUDY.datasets)),
    run="|".join(map(re.escape, STUDY.runs)),
    split="|".join(SPLITS),
    testset="|".join(TESTSETS),
    shard=r"\d{5}-of-\d{5}",


def dataset_of(wildcards):
    """The config of the dataset that a job works on, by its own name or its run's."""
    if hasattr(wildcards, "run"):
        return STUDY.datasets[STUDY.runs[wildcards.run].dataset]
    return STUDY.datasets[wildcards.dataset]


def dataset_dir(wildcards):
    """Where the artifacts of a dataset lie."""
    if hasattr(wildcards, "run"):
        return f"results/datasets/{STUDY.runs[wildcards.run].dataset}"
    return f"results/datasets/{wildcards.dataset}"


def parts_of(wildcards):
    """The parts of a dataset's reference data, by name."""
    return {part.name: part for part in reference_parts(dataset_of(wildcards).source.reference)}


def structure_files(wildcards):
    """The files, if any, that a part of the reference data starts from."""
    structures = parts_of(wildcards)[wildcards.part].structures
    return [name for name in structures if not is_molecule_name(name)]


def source_files(wildcards):
    """The files of labelled structures of a dataset."""
    files = dataset_of(wildcards).source.files
    return files or [f"{dataset_dir(wildcards)}/reference.extxyz"]


def shard_files(wildcards, split):
    """The graphs of a split of a dataset."""
    directory = f"{dataset_dir(wildcards)}/shards/{split}"
    num = dataset_of(wildcards).num_shards
    return [f"{directory}/{shard_name(index, num)}" for index in range(num)]


def shard_files_by_split(wildcards):
    """The graphs of all splits of a dataset."""
    return {split: shard_files(wildcards, split) for split in SPLITS}


def free_atom_files(wildcards):
    """The files with the free atoms, if atomic energies come from them."""
    if dataset_of(wildcards).atomic_energies == "isolated_atoms":
        return source_files(wildcards)
    return []


def as_params(model, **options):
    """A config as plain values: Snakemake compares them with those of the last run."""
    return model.model_dump(mode="json", **options)


def training_threads():
    """Threads of one training: as configured, or all cores."""
    return STUDY.execution.training_threads or workflow.cores or 1
