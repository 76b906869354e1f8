"""Predictions and errors of a model on a test set."""

from pathlib import Path

from mlip_core.study.jobs import run_job
from mlip_core.study.runtime import prepare_jax

with run_job(snakemake.log[0]):
    prepare_jax(snakemake.threads)
    from mlip_core.data.frames import LabelKeys
    from mlip_core.data.splits import select_frames
    from mlip_core.evaluation import evaluate, write_evaluation
    from mlip_core.models.model_io import load_model
    from mlip_core.study.frames import read_structures

    frames = read_structures(snakemake.input.files, LabelKeys(**snakemake.params.labels))
    evaluation = evaluate(
        load_model(snakemake.input.model),
        select_frames(frames, snakemake.input.split, snakemake.wildcards.testset),
        **snakemake.params.evaluation,
    )
    write_evaluation(Path(snakemake.output.metrics).parent, evaluation)
