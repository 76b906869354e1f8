"""The study of this run and what the rules ask of it."""

import logging

from mlip_core.data.splits import SPLITS
from mlip_core.reference import is_molecule_name, reference_parts
from mlip_core.study.checks import check_study
from mlip_core.study.config import load_study
from mlip_core.study.devices import visible_gpus
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
    job=r"\d{5}-of-\d{5}",


def datasets_of_runs():
    """The datasets that are trained on, in the order of the runs."""
    return list(dict.fromkeys(run.dataset for run in STUDY.runs.values()))


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


def part_dirs(wildcards, split):
    """What each job makes of the graphs of a split."""
    directory = f"{dataset_dir(wildcards)}/parts/{split}"
    num = dataset_of(wildcards).shard_jobs
    return [f"{directory}/{job:05d}-of-{num:05d}" for job in range(num)]


def part_dirs_by_split(wildcards):
    """What each job makes of the graphs of all splits."""
    return {split: part_dirs(wildcards, split) for split in SPLITS}


def free_atom_index(wildcards):
    """The index of the frames, if atomic energies come from the free atoms among them."""
    if dataset_of(wildcards).atomic_energies == "isolated_atoms":
        return f"{dataset_dir(wildcards)}/frames.safetensors"
    return []


def as_params(model, **options):
    """A config as plain values: Snakemake compares them with those of the last run."""
    return model.model_dump(mode="json", **options)


def training_gpus():
    """GPUs of one training: as configured, or one if this machine has any."""
    configured = STUDY.execution.gpus_per_training
    return min(1, len(visible_gpus())) if configured is None else configured


def evaluation_gpus():
    """GPUs of a job that uses a model: one if this machine has any."""
    return min(1, len(visible_gpus()))


def training_threads():
    """Threads of one training: as configured, or all cores, shared out over the GPUs.

    With a cluster there is no number of cores; its profile sets the threads.
    """
    cores = workflow.resource_settings.cores or 1
    return STUDY.execution.training_threads or max(1, cores // max(1, len(visible_gpus())))
