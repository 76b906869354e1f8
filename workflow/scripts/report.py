"""The first page of the report, and what it is about the study as a whole."""

from pathlib import Path

from mlip_core.study.jobs import run_job

with run_job(snakemake):
    from mlip_core.report import Evaluated, ReportInputs, write_overview

    inputs = ReportInputs.from_results(
        "results",
        runs=snakemake.params.runs,
        evaluated=Evaluated(**snakemake.params.evaluated),
        baselines=snakemake.params.baselines,
        committees=snakemake.params.committees,
        learning=snakemake.params.learning,
        title=snakemake.params.title,
    )
    write_overview(Path(snakemake.output.index).parent, inputs)
