"""The card of one model."""

from mlip_core.study.jobs import run_job

with run_job(snakemake):
    from mlip_core.report import Evaluated, dataset_inputs, entry_inputs, write_model_card

    name, dataset = snakemake.wildcards.run, snakemake.params.dataset
    write_model_card(
        snakemake.output[0],
        entry_inputs("results", name, dataset, Evaluated(**snakemake.params.evaluated)),
        dataset_inputs("results", dataset, snakemake.params.origin),
    )
