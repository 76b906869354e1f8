"""Predictions and errors of a model, or of any calculator, on a test set."""

from pathlib import Path

from mlip_core.study.devices import claim_gpus
from mlip_core.study.jobs import run_job
from mlip_core.study.runtime import prepare_jax

with run_job(snakemake), claim_gpus(snakemake.resources.gpu):
    prepare_jax(snakemake.threads)
    from mlip_core.committee import load_committee
    from mlip_core.data.dataset_info import read_dataset_info
    from mlip_core.data.frames import LabelKeys
    from mlip_core.evaluation import evaluate_to_files, read_energy_shift
    from mlip_core.study.entries import load_entry
    from mlip_core.study.frames import iterate_files, iterate_split

    inputs, params = snakemake.input, snakemake.params
    labels = LabelKeys(**params.labels)
    if inputs.get("split"):
        split = snakemake.wildcards.testset
        frames = iterate_split(inputs.index, inputs.split, split, labels, params.require)
    else:
        frames = iterate_files(inputs.files, labels, params.require)
    evaluate_to_files(
        Path(snakemake.output.metrics).parent,
        load_committee(inputs.members)
        if inputs.members
        else load_entry(inputs.get("model") or None, params.calculator),
        frames,
        params.batch_size,
        read_dataset_info(inputs.info).atomic_energies_map if inputs.info else None,
        params.bootstrap_resamples,
        params.seed,
        read_energy_shift(inputs.shift) if inputs.shift else None,
    )
