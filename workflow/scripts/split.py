"""Which frame is for training, validation, test."""

from pathlib import Path

from mlip_core.study.jobs import run_job

with run_job(snakemake.log[0]):
    from mlip_core.data.frames import LabelKeys
    from mlip_core.data.splits import SplitConfig, load_split, make_split, write_split
    from mlip_core.study.frames import read_structures

    params = snakemake.params
    frames = read_structures(snakemake.input.files, LabelKeys(**params.labels), params.require)
    path = Path(snakemake.output[0])
    previous = load_split(path) if path.exists() else None
    write_split(path, make_split(frames, SplitConfig(**params.split), previous))
    path.touch()
