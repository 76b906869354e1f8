rule reference_part:
    """One trajectory, or one file of structures, labelled by the calculator."""
    input:
        structure_files,
    output:
        "results/datasets/{dataset}/reference/{part}.extxyz",
    log:
        "results/logs/reference_part/{dataset}/{part}.log",
    benchmark:
        "results/benchmarks/reference_part/{dataset}/{part}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=120,
    params:
        part=lambda wildcards: as_params(parts_of(wildcards)[wildcards.part]),
        seed=lambda wildcards: STUDY.dataset_seed(wildcards.dataset),
    script:
        "../scripts/reference_part.py"


rule reference:
    """All parts of a dataset's reference data, in the order of the config."""
    input:
        lambda wildcards: expand(
            "results/datasets/{dataset}/reference/{part}.extxyz",
            dataset=wildcards.dataset,
            part=parts_of(wildcards),
        ),
    output:
        "results/datasets/{dataset}/reference.extxyz",
    log:
        "results/logs/reference/{dataset}.log",
    benchmark:
        "results/benchmarks/reference/{dataset}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    script:
        "../scripts/reference.py"
