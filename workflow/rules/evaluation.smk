rule evaluate_entry:
    """Predictions and errors of a model, or of any calculator, on a test set."""
    input:
        unpack(testset_files),
        model=entry_model,
        info=lambda wildcards: (
            f"{dataset_dir(wildcards)}/dataset_info.json" if entry_calculator(wildcards) else []
        ),
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
