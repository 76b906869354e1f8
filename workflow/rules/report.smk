rule report:
    """A page that opens from disk: leaderboard, learning curves, errors, what was run on what."""
    input:
        choice="results/models/best.json",
        model="results/models/best.zip",
        evaluations=expand(
            "results/evaluation/{run}/{testset}/{file}",
            run=STUDY.runs,
            testset=TESTSETS,
            file=("metrics.json", "predictions.extxyz"),
        ),
        nve=expand(
            "results/evaluation/{run}/{file}",
            run=STUDY.runs if STUDY.nve else (),
            file=("nve.json", "nve.csv"),
        ),
        runs=expand(
            "results/runs/{run}/{file}",
            run=STUDY.runs,
            file=("config.yaml", "metrics.csv", "timing.csv", "provenance.json"),
        ),
        datasets=expand(
            "results/datasets/{dataset}/{file}",
            dataset=datasets_of_runs(),
            file=("dataset_info.json", "quality.json", "splits/split.json"),
        ),
    output:
        index="results/report/index.html",
        leaderboard="results/report/leaderboard.csv",
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
        testsets=list(TESTSETS),
    script:
        "../scripts/report.py"
