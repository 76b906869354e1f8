"""Which frame is for training, validation, test."""

import sys
from pathlib import Path

from mlip_core.study.jobs import run_job

with run_job(snakemake):
    from mlip_core.data.frame_index import read_index
    from mlip_core.data.splits import SplitConfig, load_split, make_split, write_split

    path = Path(snakemake.output.split)
    previous = load_split(path) if path.exists() else None
    config = SplitConfig(**snakemake.params.split)
    split = make_split(read_index(snakemake.input.index), config, previous)
    sys.stdout.writelines(f"{finding.action}, {finding}\n" for finding in split.findings)
    write_split(path, split)
