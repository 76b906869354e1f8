rule check:
    """Look for what is wrong with a dataset before anything is made from it."""
    input:
        source_files,
    output:
        "results/datasets/{dataset}/quality.json",
    log:
        "results/logs/check/{dataset}.log",
    benchmark:
        "results/benchmarks/check/{dataset}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        labels=lambda wildcards: as_params(dataset_of(wildcards).labels),
        check=lambda wildcards: as_params(dataset_of(wildcards).check),
    script:
        "../scripts/check.py"


rule split:
    """Which frame is for training, validation, test; a split that changes is kept beside the new."""
    input:
        files=source_files,
        quality="results/datasets/{dataset}/quality.json",
    output:
        update("results/datasets/{dataset}/splits/split.json"),
    log:
        "results/logs/split/{dataset}.log",
    benchmark:
        "results/benchmarks/split/{dataset}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        labels=lambda wildcards: as_params(dataset_of(wildcards).labels),
        require=lambda wildcards: list(dataset_of(wildcards).check.require),
        split=lambda wildcards: as_params(STUDY.split_config(wildcards.dataset)),
    script:
        "../scripts/split.py"
