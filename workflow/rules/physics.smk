"""What a potential has to hold beside low errors, and what it costs."""


rule physics_subject:
    """The structures that are checked, and how near the atoms of a dataset come."""
    input:
        files=source_files,
        index="results/datasets/{dataset}/frames.safetensors",
        split="results/datasets/{dataset}/splits/split.json",
        frames="results/datasets/{dataset}/splits/split.safetensors",
    output:
        structures="results/datasets/{dataset}/physics/structures.extxyz",
        distances="results/datasets/{dataset}/physics/distances.json",
    log:
        "results/logs/physics_subject/{dataset}.log",
    benchmark:
        "results/benchmarks/physics_subject/{dataset}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        labels=lambda wildcards: as_params(dataset_of(wildcards).labels),
        cutoff=lambda wildcards: dataset_of(wildcards).graph.graph_cutoff_angstrom,
        structures=as_params((STUDY.physics or PhysicsConfig()).structures),
        reference=reference_calculator,
    script:
        "../scripts/physics_subject.py"


rule physics_reference:
    """What the calculator that made a dataset says, once for all models and thresholds."""
    input:
        structures="results/datasets/{dataset}/physics/structures.extxyz",
        distances="results/datasets/{dataset}/physics/distances.json",
    output:
        "results/datasets/{dataset}/physics/{check}.json",
    log:
        "results/logs/physics_reference/{dataset}/{check}.log",
    benchmark:
        "results/benchmarks/physics_reference/{dataset}/{check}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        reference=reference_calculator,
        config=lambda wildcards: ConfigParams(
            CHECKS[wildcards.check], exclude=CHECKS[wildcards.check].gates
        ),
    script:
        "../scripts/physics_reference.py"


rule physics:
    """One check of one model, or of any calculator."""
    input:
        model=entry_model,
        structures=lambda wildcards: f"{dataset_dir(wildcards)}/physics/structures.extxyz",
        distances=lambda wildcards: f"{dataset_dir(wildcards)}/physics/distances.json",
        reference=reference_values,
    output:
        summary="results/evaluation/{entry}/physics/{check}.json",
        table="results/evaluation/{entry}/physics/{check}.csv",
    log:
        "results/logs/physics/{entry}/{check}.log",
    benchmark:
        "results/benchmarks/physics/{entry}/{check}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=evaluation_gpus(),
        mem_mb=4000,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        calculator=entry_calculator,
        config=lambda wildcards: as_params(CHECKS[wildcards.check]),
        seed=lambda wildcards: STUDY.entry_seed(wildcards.entry),
    script:
        "../scripts/physics.py"


rule cost:
    """How long steps of dynamics take; no other result depends on it but the report."""
    input:
        model=entry_model,
        structures=lambda wildcards: f"{dataset_dir(wildcards)}/physics/structures.extxyz",
        distances=lambda wildcards: f"{dataset_dir(wildcards)}/physics/distances.json",
    output:
        "results/evaluation/{entry}/cost.json",
    log:
        "results/logs/cost/{entry}.log",
    benchmark:
        "results/benchmarks/cost/{entry}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=evaluation_gpus(),
        mem_mb=4000,
        runtime=60,
    params:
        calculator=entry_calculator,
        cost=as_params(STUDY.cost) if STUDY.cost else None,
        seed=lambda wildcards: STUDY.entry_seed(wildcards.entry),
    script:
        "../scripts/cost.py"
