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
