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
        [path for entry in ENTRIES for paths in files_of_entry(entry).values() for path in paths],


rule export:
    """The best model."""
    input:
        "results/models/best.zip",
