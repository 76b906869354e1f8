"""The study of this run and what the rules ask of it."""

import logging

from mlip_core.data.splits import SPLITS
from mlip_core.physics.config import PhysicsConfig
from mlip_core.reference import is_molecule_name, reference_parts
from mlip_core.study.checks import check_calibrated, check_evaluated, check_study
from mlip_core.study.compiled_programs import seal_compiled_programs, share_compiled_programs
from mlip_core.study.config import load_study
from mlip_core.study.devices import visible_gpus
from mlip_core.study.params import ConfigParams
from mlip_core.study.remote_file import RemoteFile, is_stored_elsewhere, local_paths
from mlip_core.utils.errors import exit_on_user_error
from mlip_core.utils.files import require_past, require_room, require_writable

# A library under the configs logs through a handler of its own for all, Snakemake's lines included.
logging.getLogger().handlers.clear()

CONFIG_FILES = workflow.overwrite_configfiles or workflow.configfiles
SOURCE = ", ".join(map(str, CONFIG_FILES)) or "config"

# Snakemake writes here, even for a dry run; commands that need no number of cores only read.
STATE = [f".snakemake/{name}/any" for name in ("locks", "log", "metadata", "incomplete", "iocache")]
CORES = workflow.resource_settings.cores or workflow.resource_settings.nodes

with exit_on_user_error():
    STUDY = load_study(config, source=SOURCE)
    check_study(STUDY, source=SOURCE)
    if workflow.is_main_process and (CORES or workflow.output_settings.dryrun):
        require_writable(STATE)
        require_room(".snakemake")

PROGRAMS = STUDY.execution.compilation_cache
share_compiled_programs(PROGRAMS)


onstart:
    # Snakemake itself shows a traceback where it cannot remove what a job makes again, and fails
    # after a job, whose results it removes, where an input is of tomorrow.
    with exit_on_user_error():
        require_writable(
            path
            for job in workflow.dag.needrun_jobs()
            for path in (*job.output, *job.log, *([job.benchmark] if job.benchmark else []))
        )
        require_past({path for job in workflow.dag.needrun_jobs() for path in job.input})
        seal_compiled_programs(PROGRAMS)


onsuccess:
    with exit_on_user_error():
        seal_compiled_programs(PROGRAMS)


onerror:
    # Jobs name the file for which there was no room; Snakemake, which writes as well, does not.
    with exit_on_user_error():
        for directory in ("results", ".snakemake"):
            require_room(directory)
        seal_compiled_programs(PROGRAMS)


ENTRIES = STUDY.entries
TESTSETS = STUDY.evaluated_sets
CHECKS = STUDY.physics.checks if STUDY.physics else {}
ENVIRONMENT = "../../environment.yml"

# Files that lie elsewhere: downloaded by a rule, or got by a storage plugin whenever a job needs them.
REMOTE_FILES = {file.sha256: file for file in STUDY.source_files if isinstance(file, RemoteFile)}
STORED = {
    file: storage(file) for file in local_paths(STUDY.source_files) if is_stored_elsewhere(file)
}


wildcard_constraints:
    dataset="|".join(map(re.escape, STUDY.datasets)),
    run="|".join(map(re.escape, STUDY.runs)),
    entry="|".join(map(re.escape, ENTRIES)),
    split="|".join(SPLITS),
    testset="|".join(map(re.escape, TESTSETS)),
    check="|".join(CHECKS) or "none",
    job=r"\d{5}-of-\d{5}",


def here(files):
    """Paths of files, wherever they come from."""
    return [STORED.get(path, path) for path in local_paths(files)]


def datasets_of_runs():
    """The datasets that are trained on, in the order of the runs."""
    return list(dict.fromkeys(run.dataset for run in STUDY.runs.values()))


def dataset_name(wildcards):
    """The dataset that a job works on, by its own name or that of its run, entry or committee."""
    if hasattr(wildcards, "run"):
        return STUDY.runs[wildcards.run].dataset
    for kind in ("entry", "committee"):
        if hasattr(wildcards, kind):
            return STUDY.dataset_of_entry(getattr(wildcards, kind))
    return wildcards.dataset


def dataset_of(wildcards):
    """The config of the dataset that a job works on."""
    return STUDY.datasets[dataset_name(wildcards)]


def dataset_dir(wildcards):
    """Where the artifacts of a dataset lie."""
    return f"results/datasets/{dataset_name(wildcards)}"


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
    return here(files) if files else [f"{dataset_dir(wildcards)}/reference.extxyz"]


def parts_of_split(wildcards, split):
    """What each job makes of the graphs of a split."""
    directory = f"{dataset_dir(wildcards)}/parts/{split}"
    num = dataset_of(wildcards).shard_jobs
    return [f"{directory}/{job:05d}-of-{num:05d}/shards.json" for job in range(num)]


def parts_by_split(wildcards):
    """What each job makes of the graphs of all splits."""
    return {split: parts_of_split(wildcards, split) for split in SPLITS}


def start_model(wildcards):
    """The zip of the model that a run starts from, if any: that of another run, or a file."""
    start = STUDY.runs[wildcards.run].init_from
    return f"results/models/{start}.zip" if start in STUDY.runs else start or []


def replayed_manifest(wildcards):
    """The training set of the earlier dataset that a run replays, if any."""
    replay = STUDY.runs[wildcards.run].finetune.replay
    return f"results/datasets/{replay.dataset}/shards/train/manifest.json" if replay else []


def free_atom_index(wildcards):
    """The index of the frames, if atomic energies come from the free atoms among them."""
    if dataset_of(wildcards).atomic_energies == "isolated_atoms":
        return f"{dataset_dir(wildcards)}/frames.safetensors"
    return []


def entry_model(wildcards):
    """The model zip of an entry, if it is a single model."""
    if wildcards.entry in STUDY.runs:
        return f"results/models/{wildcards.entry}.zip"
    baseline = STUDY.baselines.get(wildcards.entry)
    return (baseline and baseline.model) or []


def members_of(entry):
    """The model zips of an entry that is a committee."""
    runs = STUDY.committees[entry].runs if entry in STUDY.committees else ()
    return expand("results/models/{run}.zip", run=runs)


def calibrated_models(wildcards):
    """The model zips of a committee that has structures to be compared with."""
    with exit_on_user_error():
        check_calibrated(STUDY, wildcards.committee, source=SOURCE)
    return members_of(wildcards.committee)


def entry_calculator(wildcards):
    """The calculator of an entry, if it is not a model zip."""
    baseline = STUDY.baselines.get(wildcards.entry)
    return as_params(baseline.calculator) if baseline and baseline.calculator else None


def energy_shift_file(wildcards):
    """What the energies of a baseline lack for each atom, if the study asks for it."""
    baseline = STUDY.baselines.get(wildcards.entry)
    wanted = baseline and baseline.energy_shift
    return f"results/evaluation/{wildcards.entry}/energy_shift.json" if wanted else []


def testset_files(wildcards):
    """The files of a test set, or those that say where the frames of a split are."""
    if wildcards.testset in STUDY.testsets:
        return {"files": here(STUDY.testsets[wildcards.testset].files)}
    with exit_on_user_error():
        check_evaluated(STUDY, dataset_name(wildcards), wildcards.testset, source=SOURCE)
    directory = dataset_dir(wildcards)
    return {
        "files": source_files(wildcards),
        "index": f"{directory}/frames.safetensors",
        "split": f"{directory}/splits/split.json",
        "frames": f"{directory}/splits/split.safetensors",
    }


def testset_labels(wildcards):
    """Keys and units of the labels of a test set or a split."""
    source = STUDY.testsets.get(wildcards.testset) or dataset_of(wildcards)
    return as_params(source.labels)


def testset_require(wildcards):
    """Labels that each frame of a test set or a split must have."""
    testset = STUDY.testsets.get(wildcards.testset)
    return list((testset or dataset_of(wildcards).check).require)


def reference_calculator(wildcards):
    """The calculator that made a dataset, if one did."""
    reference = dataset_of(wildcards).source.reference
    return reference.model_dump(include={"calculator", "arguments"}) if reference else None


def reference_values(wildcards):
    """What the calculator that made a dataset says, for checks that are compared with it."""
    if reference_calculator(wildcards) and CHECKS[wildcards.check].has_reference:
        return f"{dataset_dir(wildcards)}/physics/{wildcards.check}.json"
    return []


def origin_of(wildcards):
    """What the study says of where a dataset comes from."""
    return dataset_of(wildcards).origin


def files_of_entry(entry):
    """What is shown of a model; of a committee its calibration, and no physics."""
    directory = f"results/evaluation/{entry}"
    is_committee = entry in STUDY.committees
    checks = ["calibration"] if is_committee else CHECKS
    return {
        "evaluations": expand(
            f"{directory}/{{testset}}/{{file}}",
            testset=TESTSETS,
            file=("metrics.json", "predictions.extxyz", "structures.parquet", "atoms.parquet"),
        ),
        "physics": expand(
            f"{directory}/physics/{{check}}.{{suffix}}", check=checks, suffix=("json", "csv")
        ),
        "cost": [f"{directory}/cost.json"] if STUDY.cost and not is_committee else [],
    }


def files_of_run(run):
    """What is shown of a training."""
    return expand(
        f"results/runs/{run}/{{file}}",
        file=("config.yaml", "metrics.csv", "timing.csv", "provenance.json"),
    )


def files_of_dataset(dataset):
    """What is shown of a dataset."""
    files = (
        "dataset_info.json",
        "quality.json",
        "splits/split.json",
        "shards/{split}/manifest.json",
    )
    return expand([f"results/datasets/{dataset}/{file}" for file in files], split=SPLITS)


def as_params(model):
    """A config as plain values: Snakemake compares them with those of the last run."""
    return ConfigParams(model)


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
