"""The page of one model."""

from mlip_core.study.jobs import run_job

with run_job(snakemake):
    from mlip_core.report import Evaluated, entry_inputs, write_entry_page

    evaluated = Evaluated(**snakemake.params.evaluated)
    name, dataset = snakemake.wildcards.entry, snakemake.params.dataset
    write_entry_page("results/report", entry_inputs("results", name, dataset, evaluated))
