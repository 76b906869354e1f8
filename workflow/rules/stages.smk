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
    """All models on the test sets, by the physics checks, and their cost."""
    input:
        expand("results/evaluation/{entry}/{testset}/metrics.json", entry=ENTRIES, testset=TESTSETS),
        expand("results/evaluation/{entry}/physics/{check}.json", entry=ENTRIES, check=CHECKS),
        expand("results/evaluation/{entry}/cost.json", entry=ENTRIES if STUDY.cost else ()),
        [path for run in STUDY.runs for path in calibrations_of(run)],


rule export:
    """The best model."""
    input:
        "results/models/best.zip",
