"""Dynamics at constant energy with a model, from the first structure of the test set."""

from pathlib import Path

from mlip_core.study.devices import claim_gpus
from mlip_core.study.jobs import run_job
from mlip_core.study.runtime import prepare_jax

with run_job(snakemake.log[0]), claim_gpus(snakemake.resources.gpu):
    prepare_jax(snakemake.threads)
    from mlip_core import ForceFieldCalculator
    from mlip_core.data.frames import LabelKeys
    from mlip_core.simulation.nve import NveConfig, run_nve, write_nve
    from mlip_core.study.frames import iterate_split

    inputs, params = snakemake.input, snakemake.params
    labels = LabelKeys(**params.labels)
    start = next(iterate_split(inputs.index, inputs.split, "test", labels, (), stop=1))
    result = run_nve(
        ForceFieldCalculator(inputs.model),
        start.atoms,
        NveConfig(**params.nve),
        seed=params.seed,
    )
    write_nve(Path(snakemake.output.summary).parent, result)
