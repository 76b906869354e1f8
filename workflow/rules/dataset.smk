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


rule shard:
    """A share of the graphs of a split."""
    input:
        files=source_files,
        split="results/datasets/{dataset}/splits/split.json",
    output:
        "results/datasets/{dataset}/shards/{split}/shard-{shard}.safetensors",
    log:
        "results/logs/shard/{dataset}/{split}-{shard}.log",
    benchmark:
        "results/benchmarks/shard/{dataset}/{split}-{shard}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        labels=lambda wildcards: as_params(dataset_of(wildcards).labels),
        require=lambda wildcards: list(dataset_of(wildcards).check.require),
        cutoff=lambda wildcards: dataset_of(wildcards).graph.graph_cutoff_angstrom,
    script:
        "../scripts/shard.py"


rule dataset_info:
    """Put the shards' statistics together: manifests, and what a model must know of the dataset."""
    input:
        unpack(shard_files_by_split),
        files=free_atom_files,
    output:
        info="results/datasets/{dataset}/dataset_info.json",
        manifests=expand("results/datasets/{{dataset}}/shards/{split}/manifest.json", split=SPLITS),
    log:
        "results/logs/dataset_info/{dataset}.log",
    benchmark:
        "results/benchmarks/dataset_info/{dataset}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        labels=lambda wildcards: as_params(dataset_of(wildcards).labels),
        graph=lambda wildcards: as_params(dataset_of(wildcards).graph),
        atomic_energies=lambda wildcards: dataset_of(wildcards).atomic_energies,
    script:
        "../scripts/dataset_info.py"
