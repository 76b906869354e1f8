rule train_run:
    """Train a run, or go on with it; its checkpoints lie beside the outputs and survive a failure."""
    input:
        info=lambda wildcards: f"{dataset_dir(wildcards)}/dataset_info.json",
        train=lambda wildcards: f"{dataset_dir(wildcards)}/shards/train/manifest.json",
        valid=lambda wildcards: f"{dataset_dir(wildcards)}/shards/valid/manifest.json",
        start=start_model,
        replay=replayed_manifest,
    output:
        model="results/models/{run}.zip",
        config="results/runs/{run}/config.yaml",
        study="results/runs/{run}/study.yaml",
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


rule select_best:
    """Which run has the best model, by the metric of the config on the validation set."""
    input:
        metrics=expand("results/runs/{run}/metrics.csv", run=STUDY.runs),
        checks=expand(
            "results/evaluation/{run}/physics/{check}.json",
            run=STUDY.runs,
            check=CHECKS,
        ),
    output:
        "results/models/best.json",
    log:
        "results/logs/select_best.log",
    benchmark:
        "results/benchmarks/select_best.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        runs=list(STUDY.runs),
        select=as_params(STUDY.select_best),
    script:
        "../scripts/select_best.py"


rule best:
    """The best model under a name of its own, after the report, which says why if there is none."""
    input:
        choice="results/models/best.json",
        models=expand("results/models/{run}.zip", run=STUDY.runs),
        report=ancient("results/report/index.html"),
    output:
        "results/models/best.zip",
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
    script:
        "../scripts/best.py"
