"""Predictions and errors of a model on a test set."""

from pathlib import Path

from mlip_core.study.devices import claim_gpus
from mlip_core.study.jobs import run_job
from mlip_core.study.runtime import prepare_jax

with run_job(snakemake.log[0]), claim_gpus(snakemake.resources.gpu):
    prepare_jax(snakemake.threads)
    from mlip_core.data.frames import LabelKeys
    from mlip_core.evaluation import evaluate, write_evaluation
    from mlip_core.models.model_io import load_model
    from mlip_core.study.frames import iterate_split

    inputs, params = snakemake.input, snakemake.params
    labels = LabelKeys(**params.labels)
    testset = snakemake.wildcards.testset
    frames = list(iterate_split(inputs.index, inputs.split, testset, labels, params.require))
    evaluation = evaluate(load_model(inputs.model), frames, **params.evaluation)
    write_evaluation(Path(snakemake.output.metrics).parent, evaluation)
