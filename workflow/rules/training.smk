rule train_run:
    """Train a run, or go on with it; its checkpoints lie beside the outputs and survive a failure."""
    input:
        info=lambda wildcards: f"{dataset_dir(wildcards)}/dataset_info.json",
        train=lambda wildcards: f"{dataset_dir(wildcards)}/shards/train/manifest.json",
        valid=lambda wildcards: f"{dataset_dir(wildcards)}/shards/valid/manifest.json",
    output:
        model="results/models/{run}.zip",
        config="results/runs/{run}/config.yaml",
        metrics="results/runs/{run}/metrics.csv",
        timing="results/runs/{run}/timing.csv",
        provenance="results/runs/{run}/provenance.json",
    log:
        "results/logs/train/{run}.log",
    benchmark:
        "results/benchmarks/train/{run}.tsv"
    conda:
        ENVIRONMENT
    threads: training_threads()
    # A job that a cluster's profile tries again goes on from its checkpoint, with more of both.
    resources:
        gpu=training_gpus(),
        mem_mb=lambda wildcards, attempt: 4000 * 2 ** (attempt - 1),
        runtime=lambda wildcards, attempt: 1440 * attempt,
    params:
        run=lambda wildcards: as_params(STUDY.run_config(wildcards.run)),
    script:
        "../scripts/train.py"


rule best:
    """The best model of the study by the metric of the config, on the validation set."""
    input:
        models=expand("results/models/{run}.zip", run=STUDY.runs),
        metrics=expand("results/runs/{run}/metrics.csv", run=STUDY.runs),
    output:
        model="results/models/best.zip",
        choice="results/models/best.json",
    log:
        "results/logs/best.log",
    benchmark:
        "results/benchmarks/best.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        runs=list(STUDY.runs),
        metric=STUDY.select_best.metric,
    script:
        "../scripts/best.py"
