rule evaluate_run:
    """Predictions and errors of a model on a test set."""
    input:
        model="results/models/{run}.zip",
        files=source_files,
        index=lambda wildcards: f"{dataset_dir(wildcards)}/frames.safetensors",
        split=lambda wildcards: f"{dataset_dir(wildcards)}/splits/split.json",
        frames=lambda wildcards: f"{dataset_dir(wildcards)}/splits/split.safetensors",
    output:
        metrics="results/evaluation/{run}/{testset}/metrics.json",
        predictions="results/evaluation/{run}/{testset}/predictions.extxyz",
    log:
        "results/logs/evaluate/{run}/{testset}.log",
    benchmark:
        "results/benchmarks/evaluate/{run}/{testset}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=evaluation_gpus(),
        mem_mb=4000,
        runtime=60,
    params:
        labels=lambda wildcards: as_params(dataset_of(wildcards).labels),
        require=lambda wildcards: list(dataset_of(wildcards).check.require),
        evaluation=as_params(STUDY.evaluation),
    script:
        "../scripts/evaluate.py"


rule nve:
    """Dynamics at constant energy: does the model keep it?"""
    input:
        model="results/models/{run}.zip",
        files=source_files,
        index=lambda wildcards: f"{dataset_dir(wildcards)}/frames.safetensors",
        split=lambda wildcards: f"{dataset_dir(wildcards)}/splits/split.json",
        frames=lambda wildcards: f"{dataset_dir(wildcards)}/splits/split.safetensors",
    output:
        summary="results/evaluation/{run}/nve.json",
        trajectory="results/evaluation/{run}/nve.csv",
    log:
        "results/logs/nve/{run}.log",
    benchmark:
        "results/benchmarks/nve/{run}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=evaluation_gpus(),
        mem_mb=4000,
        runtime=60,
    params:
        labels=lambda wildcards: as_params(dataset_of(wildcards).labels),
        nve=as_params(STUDY.nve) if STUDY.nve else None,
        seed=lambda wildcards: STUDY.run_config(wildcards.run).seed,
    script:
        "../scripts/nve.py"
