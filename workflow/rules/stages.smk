# Targets on the way to the report, which is one itself: `snakemake prepare`, `train` and so on.


rule prepare:
    """All datasets of the runs, checked, split and made into graphs."""
    input:
        expand("results/datasets/{dataset}/dataset_info.json", dataset=datasets_of_runs()),


rule train:
    """All runs."""
    input:
        expand("results/models/{run}.zip", run=STUDY.runs),


rule evaluate:
    """All models on the test sets, and in dynamics."""
    input:
        expand("results/evaluation/{run}/{testset}/metrics.json", run=STUDY.runs, testset=TESTSETS),
        expand("results/evaluation/{run}/nve.json", run=STUDY.runs if STUDY.nve else ()),


rule export:
    """The best model."""
    input:
        "results/models/best.zip",
