"""Look for what is wrong with a dataset before anything is made from it, and index its frames."""

import sys

from mlip_core.study.jobs import run_job

with run_job(snakemake):
    from mlip_core.data.frame_index import write_index
    from mlip_core.data.frames import LabelKeys
    from mlip_core.data.quality import QualityConfig, check_files
    from mlip_core.utils.files import write_json

    params = snakemake.params
    report, index = check_files(
        list(snakemake.input),
        LabelKeys(**params.labels),
        QualityConfig(**params.check),
        params.group_key,
    )
    sys.stdout.writelines(f"{finding.action}, {finding}\n" for finding in report.findings)
    report.raise_on_errors()
    write_index(snakemake.output.index, index)
    write_json(snakemake.output.quality, report.to_json())
