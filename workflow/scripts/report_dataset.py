"""The page of one dataset."""

from mlip_core.study.jobs import run_job

with run_job(snakemake):
    from mlip_core.report import dataset_inputs, write_dataset_page

    inputs = dataset_inputs("results", snakemake.wildcards.dataset, snakemake.params.origin)
    write_dataset_page("results/report", inputs)
