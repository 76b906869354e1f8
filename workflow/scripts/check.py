"""Look for what is wrong with a dataset before anything is made from it."""

import sys

from mlip_core.study.jobs import run_job

with run_job(snakemake.log[0]):
    from mlip_core.data.frames import LabelKeys
    from mlip_core.data.quality import QualityConfig, check_frames
    from mlip_core.study.frames import read_structures
    from mlip_core.utils.files import write_json

    config = QualityConfig(**snakemake.params.check)
    labels = LabelKeys(**snakemake.params.labels)
    report = check_frames(read_structures(snakemake.input, labels, config.require), config)
    sys.stdout.writelines(f"{finding.severity}: {finding}\n" for finding in report.findings)
    report.raise_on_errors()
    write_json(snakemake.output[0], report.to_json())
