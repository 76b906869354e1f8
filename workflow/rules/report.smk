"""Pages that open from disk, one for each model and dataset, and the cards of the models."""


report: "../report/study.rst"


# Calibrations are those of committees, which have no other checks.
EVALUATED = {
    "testsets": list(TESTSETS),
    "checks": [*CHECKS, "calibration"],
    "cost": STUDY.cost is not None,
}


rule report_entry:
    """The page of a model: errors, physics, cost, and how it was made."""
    input:
        unpack(lambda wildcards: files_of_entry(wildcards.entry)),
        run=lambda wildcards: files_of_run(wildcards.entry) if wildcards.entry in STUDY.runs else [],
        card=lambda wildcards: (
            f"results/models/{wildcards.entry}.md" if wildcards.entry in STUDY.runs else []
        ),
    output:
        page="results/report/entries/{entry}.html",
        figures=report(
            directory("results/report/figures/entries/{entry}"),
            patterns=["{figure}.svg"],
            caption="../report/figure.rst",
            category="Models",
            subcategory="{entry}",
            labels={"figure": "{figure}"},
        ),
    log:
        "results/logs/report_entry/{entry}.log",
    benchmark:
        "results/benchmarks/report_entry/{entry}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        evaluated=EVALUATED,
        dataset=lambda wildcards: (
            dataset_name(wildcards) if wildcards.entry in STUDY.runs else None
        ),
        members=lambda wildcards: (
            STUDY.committees[wildcards.entry].runs if wildcards.entry in STUDY.committees else []
        ),
    script:
        "../scripts/report_entry.py"


rule report_dataset:
    """The page of a dataset: what is in it, how it is split, what its check found."""
    input:
        lambda wildcards: files_of_dataset(wildcards.dataset),
    output:
        page="results/report/datasets/{dataset}.html",
        figures=report(
            directory("results/report/figures/datasets/{dataset}"),
            patterns=["{figure}.svg"],
            caption="../report/figure.rst",
            category="Datasets",
            subcategory="{dataset}",
            labels={"figure": "{figure}"},
        ),
    log:
        "results/logs/report_dataset/{dataset}.log",
    benchmark:
        "results/benchmarks/report_dataset/{dataset}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        origin=origin_of,
    script:
        "../scripts/report_dataset.py"


rule report:
    """The first page: leaderboard, accuracy and speed, timeline."""
    input:
        choice="results/models/best.json",
        card="results/models/best.md",
        pages=expand("results/report/entries/{entry}.html", entry=ENTRIES),
        entries=[
            path for entry in ENTRIES for paths in files_of_entry(entry).values() for path in paths
        ],
        runs=[path for run in STUDY.runs for path in files_of_run(run)],
        dataset_pages=expand("results/report/datasets/{dataset}.html", dataset=datasets_of_runs()),
        datasets=[path for dataset in datasets_of_runs() for path in files_of_dataset(dataset)],
        selections=[
            rounds.round_file(name, number, "selection.json")
            for name, config in STUDY.active_learning.items()
            for number in range(1, config.rounds + 1)
        ],
    output:
        index="results/report/index.html",
        leaderboard=report(
            "results/report/leaderboard.csv",
            caption="../report/leaderboard.rst",
            category="Study",
            labels={"figure": "leaderboard"},
        ),
        figures=report(
            directory("results/report/figures/study"),
            patterns=["{figure}.svg"],
            caption="../report/figure.rst",
            category="Study",
            labels={"figure": "{figure}"},
        ),
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        title=STUDY.title,
        runs={name: run.dataset for name, run in STUDY.runs.items()},
        baselines=list(STUDY.baselines),
        committees={name: committee.runs for name, committee in STUDY.committees.items()},
        learning={name: learning_rounds(name) for name in STUDY.active_learning},
        evaluated=EVALUATED,
    script:
        "../scripts/report.py"


rule model_card:
    """What whoever gets a model has to know of it."""
    input:
        unpack(lambda wildcards: files_of_entry(wildcards.run)),
        run=lambda wildcards: files_of_run(wildcards.run),
        dataset=lambda wildcards: files_of_dataset(dataset_name(wildcards)),
        distances=lambda wildcards: (
            f"{dataset_dir(wildcards)}/physics/distances.json" if CHECKS else []
        ),
    output:
        "results/models/{run}.md",
    log:
        "results/logs/model_card/{run}.log",
    benchmark:
        "results/benchmarks/model_card/{run}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        evaluated=EVALUATED,
        dataset=dataset_name,
        origin=origin_of,
    script:
        "../scripts/model_card.py"


rule best_card:
    """The card of the best model; it says so if there is none."""
    input:
        choice="results/models/best.json",
        cards=expand("results/models/{run}.md", run=STUDY.runs),
    output:
        "results/models/best.md",
    log:
        "results/logs/best_card.log",
    benchmark:
        "results/benchmarks/best_card.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        runs=list(STUDY.runs),
    script:
        "../scripts/best_card.py"
