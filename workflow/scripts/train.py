"""Train a run, or go on with it."""

from mlip_core.study.devices import claim_gpus
from mlip_core.study.jobs import run_job
from mlip_core.study.runtime import prepare_jax

with run_job(snakemake) as terminal, claim_gpus(snakemake.resources.gpu):
    prepare_jax(snakemake.threads)
    from mlip_core.study.config import load_study
    from mlip_core.study.repeat import write_study_of_run
    from mlip_core.study.run_config import RunConfig
    from mlip_core.study.train import TrainingOutputs, train_run
    from mlip_core.study.training_data import TrainingInputs

    inputs, outputs = snakemake.input, dict(snakemake.output.items())
    study = load_study(snakemake.config)
    write_study_of_run(outputs.pop("study"), study, snakemake.wildcards.run)
    train_run(
        RunConfig.model_validate(snakemake.params.run),
        TrainingInputs(
            inputs.info, inputs.train, inputs.valid, inputs.start or None, inputs.replay or None
        ),
        TrainingOutputs(**outputs),
        terminal,
    )
