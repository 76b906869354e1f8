rule shard:
    """One job's share of the graphs of a split: whole shards, however many jobs there are.

    They lie beside their list, which has their checksums: what is copied or touched is no news.
    """
    input:
        files=source_files,
        index="results/datasets/{dataset}/frames.safetensors",
        split="results/datasets/{dataset}/splits/split.json",
        frames="results/datasets/{dataset}/splits/split.safetensors",
    output:
        "results/datasets/{dataset}/parts/{split}/{job}/shards.json",
    log:
        "results/logs/shard/{dataset}/{split}-{job}.log",
    benchmark:
        "results/benchmarks/shard/{dataset}/{split}-{job}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        labels=lambda wildcards: as_params(dataset_of(wildcards).labels),
        require=lambda wildcards: list(dataset_of(wildcards).check.require),
        cutoff=lambda wildcards: dataset_of(wildcards).graph.graph_cutoff_angstrom,
        structures_per_shard=lambda wildcards: dataset_of(wildcards).structures_per_shard,
    script:
        "../scripts/shard.py"


rule dataset_info:
    """Gather the jobs' shards: manifests, and what a model must know of the dataset.

    The shards themselves lie beside the manifests, which have their checksums. Trainings depend on
    the manifests alone, which do not say how many jobs there were.
    """
    input:
        unpack(parts_by_split),
        index=free_atom_index,
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
        runtime=60,
    params:
        labels=lambda wildcards: as_params(dataset_of(wildcards).labels),
        graph=lambda wildcards: as_params(dataset_of(wildcards).graph),
        atomic_energies=lambda wildcards: dataset_of(wildcards).atomic_energies,
    script:
        "../scripts/dataset_info.py"
