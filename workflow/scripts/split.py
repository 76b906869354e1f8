"""Which frame is for training, validation, test."""

import sys

from mlip_core.study.jobs import run_job

with run_job(snakemake):
    from mlip_core.data.frame_index import read_index
    from mlip_core.data.splits import SplitConfig, load_previous_split, make_split, write_split

    previous = load_previous_split(snakemake.output.split)
    config = SplitConfig(**snakemake.params.split)
    split = make_split(read_index(snakemake.input.index), config, previous)
    sys.stdout.writelines(f"{finding.action}, {finding}\n" for finding in split.findings)
    write_split(snakemake.output.split, split)
