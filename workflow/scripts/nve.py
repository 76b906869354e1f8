"""Dynamics at constant energy with a model, from the first structure of the test set."""

from pathlib import Path

from mlip_core.study.jobs import run_job
from mlip_core.study.runtime import prepare_jax

with run_job(snakemake.log[0]):
    prepare_jax(snakemake.threads)
    from mlip_core import ForceFieldCalculator
    from mlip_core.data.frames import LabelKeys
    from mlip_core.data.splits import select_frames
    from mlip_core.simulation.nve import run_nve, write_nve
    from mlip_core.simulation.nve_config import NveConfig
    from mlip_core.study.frames import read_structures

    frames = read_structures(snakemake.input.files, LabelKeys(**snakemake.params.labels))
    start = select_frames(frames, snakemake.input.split, "test")[0]
    result = run_nve(
        ForceFieldCalculator(snakemake.input.model),
        start.atoms,
        NveConfig(**snakemake.params.nve),
        seed=snakemake.params.seed,
    )
    write_nve(Path(snakemake.output.summary).parent, result)
