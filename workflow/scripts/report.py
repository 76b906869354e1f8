"""The report of the study."""

import json
from pathlib import Path

from mlip_core.study.jobs import run_job

with run_job(snakemake.log[0]):
    from mlip_core.report import ReportInputs, build_report

    choice = json.loads(Path(snakemake.input.choice).read_text(encoding="utf-8"))
    inputs = ReportInputs.from_results(
        "results",
        runs=snakemake.params.runs,
        best_run=choice["run"],
        title=snakemake.params.title,
        testsets=snakemake.params.testsets,
    )
    build_report(Path(snakemake.output.index).parent, inputs)
