rule energy_shift:
    """The constant for each element by which a baseline counts energies from another zero."""
    input:
        files=source_files,
        index=lambda wildcards: f"{dataset_dir(wildcards)}/frames.safetensors",
        split=lambda wildcards: f"{dataset_dir(wildcards)}/splits/split.json",
        frames=lambda wildcards: f"{dataset_dir(wildcards)}/splits/split.safetensors",
        model=entry_model,
    output:
        "results/evaluation/{entry}/energy_shift.json",
    log:
        "results/logs/energy_shift/{entry}.log",
    benchmark:
        "results/benchmarks/energy_shift/{entry}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=evaluation_gpus(),
        mem_mb=4000,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        calculator=entry_calculator,
        labels=lambda wildcards: as_params(dataset_of(wildcards).labels),
        frames=1000,
        batch_size=STUDY.evaluation.batch_size,
    script:
        "../scripts/energy_shift.py"


rule evaluate_entry:
    """Predictions and errors of a model, a committee, or any calculator, on a test set."""
    input:
        unpack(testset_files),
        model=entry_model,
        members=lambda wildcards: members_of(wildcards.entry),
        info=lambda wildcards: (
            f"{dataset_dir(wildcards)}/dataset_info.json" if entry_calculator(wildcards) else []
        ),
        shift=energy_shift_file,
    output:
        metrics="results/evaluation/{entry}/{testset}/metrics.json",
        predictions="results/evaluation/{entry}/{testset}/predictions.extxyz",
        structures="results/evaluation/{entry}/{testset}/structures.parquet",
        atoms="results/evaluation/{entry}/{testset}/atoms.parquet",
    log:
        "results/logs/evaluate/{entry}/{testset}.log",
    benchmark:
        "results/benchmarks/evaluate/{entry}/{testset}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=evaluation_gpus(),
        mem_mb=4000,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        calculator=entry_calculator,
        labels=testset_labels,
        require=testset_require,
        batch_size=STUDY.evaluation.batch_size,
        bootstrap_resamples=STUDY.evaluation.bootstrap_resamples,
        seed=STUDY.seed,
    script:
        "../scripts/evaluate.py"
