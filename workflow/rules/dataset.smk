rule check:
    """Look for what is wrong with a dataset before anything is made from it; index its frames."""
    input:
        source_files,
    output:
        quality="results/datasets/{dataset}/quality.json",
        index="results/datasets/{dataset}/frames.safetensors",
    log:
        "results/logs/check/{dataset}.log",
    benchmark:
        "results/benchmarks/check/{dataset}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        labels=lambda wildcards: as_params(dataset_of(wildcards).labels),
        check=lambda wildcards: as_params(dataset_of(wildcards).check),
        group_key=lambda wildcards: dataset_of(wildcards).split.group_key,
    script:
        "../scripts/check.py"


rule split:
    """Which frame is for training, validation, test; a split that changes is kept beside the new."""
    input:
        index="results/datasets/{dataset}/frames.safetensors",
    output:
        split=update("results/datasets/{dataset}/splits/split.json"),
        frames=update("results/datasets/{dataset}/splits/split.safetensors"),
    log:
        "results/logs/split/{dataset}.log",
    benchmark:
        "results/benchmarks/split/{dataset}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        split=lambda wildcards: as_params(STUDY.split_config(wildcards.dataset)),
    script:
        "../scripts/split.py"
