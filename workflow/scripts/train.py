"""Train a run, or go on with it."""

from mlip_core.study.devices import claim_gpus
from mlip_core.study.jobs import run_job
from mlip_core.study.runtime import prepare_jax

with run_job(snakemake.log[0]) as terminal, claim_gpus(snakemake.resources.gpu):
    prepare_jax(snakemake.threads)
    from mlip_core.study.run_config import RunConfig
    from mlip_core.study.train import TrainingInputs, TrainingOutputs, train_run

    inputs = {name: snakemake.input[name] for name in ("train", "valid")}
    train_run(
        RunConfig.model_validate(snakemake.params.run),
        TrainingInputs(dataset_info=snakemake.input.info, **inputs),
        TrainingOutputs(**dict(snakemake.output.items())),
        terminal,
    )
