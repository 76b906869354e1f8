"""Which run has the best model."""

from pathlib import Path

from mlip_core.study.jobs import run_job

with run_job(snakemake):
    from mlip_core.study.best import choose_best
    from mlip_core.utils.files import write_json

    inputs = snakemake.input
    metrics = dict(zip(snakemake.params.runs, inputs.metrics, strict=True))
    # results/evaluation/<run>/physics/<check>.json
    checks = [(Path(path).parts[-3], path) for path in inputs.checks]
    write_json(snakemake.output[0], choose_best(metrics, checks=checks, **snakemake.params.select))
