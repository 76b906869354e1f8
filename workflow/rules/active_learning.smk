"""Committees: is their spread worth anything, and which structures should be labelled next?"""


rule calibrate_committee:
    """The spread of a committee against its errors, in the form of a physics check."""
    input:
        models=calibrated_models,
        files=source_files,
        index=lambda wildcards: f"{dataset_dir(wildcards)}/frames.safetensors",
        split=lambda wildcards: f"{dataset_dir(wildcards)}/splits/split.json",
        frames=lambda wildcards: f"{dataset_dir(wildcards)}/splits/split.safetensors",
    output:
        summary="results/evaluation/{committee}/physics/calibration.json",
        table="results/evaluation/{committee}/physics/calibration.csv",
    log:
        "results/logs/calibrate/{committee}.log",
    benchmark:
        "results/benchmarks/calibrate/{committee}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=evaluation_gpus(),
        mem_mb=4000,
        runtime=120,
    params:
        labels=lambda wildcards: as_params(dataset_of(wildcards).labels),
        calibration=lambda wildcards: as_params(STUDY.committees[wildcards.committee].calibration),
        batch_size=STUDY.evaluation.batch_size,
    script:
        "../scripts/calibrate.py"


rule split_frames:
    """A split's frames as a file, in this program's own units: what later rounds begin with."""
    input:
        files=source_files,
        index="results/datasets/{dataset}/frames.safetensors",
        split="results/datasets/{dataset}/splits/split.json",
        frames="results/datasets/{dataset}/splits/split.safetensors",
    output:
        "results/datasets/{dataset}/splits/{split}.extxyz",
    log:
        "results/logs/split_frames/{dataset}/{split}.log",
    benchmark:
        "results/benchmarks/split_frames/{dataset}/{split}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        labels=lambda wildcards: as_params(dataset_of(wildcards).labels),
        require=lambda wildcards: list(dataset_of(wildcards).check.require),
    script:
        "../scripts/split_frames.py"


rule select_frames:
    """Structures of the pool that the committee of the round before is unsure of, or any."""
    input:
        models=models_before,
        pool=pool_files,
        pool_index=pool_index,
        index=lambda wildcards: f"{dataset_before(wildcards)}/frames.safetensors",
    output:
        selected="results/active_learning/{learning}/round-{round}/selected.extxyz",
        selection="results/active_learning/{learning}/round-{round}/selection.json",
    log:
        "results/logs/select/{learning}-{round}.log",
    benchmark:
        "results/benchmarks/select/{learning}-{round}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=evaluation_gpus(),
        mem_mb=4000,
        runtime=240,
    params:
        pool_labels=pool_labels,
        select=lambda wildcards: as_params(learning_of(wildcards).select),
        seed=lambda wildcards: derive_seed(
            STUDY.seed, "active learning", wildcards.learning, wildcards.round
        ),
    script:
        "../scripts/select_frames.py"


rule label_selected:
    """Energies and forces of the structures that were chosen."""
    input:
        "results/active_learning/{learning}/round-{round}/selected.extxyz",
    output:
        "results/active_learning/{learning}/round-{round}/labelled.extxyz",
    log:
        "results/logs/label/{learning}-{round}.log",
    benchmark:
        "results/benchmarks/label/{learning}-{round}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=1440,
    params:
        calculator=label_calculator,
    script:
        "../scripts/label_selected.py"


rule select:
    """All rounds of active learning up to the labels of the last one."""
    input:
        [
            file
            for name, config in STUDY.active_learning.items()
            for file in rounds.labelled_files(name, config.rounds)
        ],
