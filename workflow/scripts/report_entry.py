"""The page of one model."""

from mlip_core.study.jobs import run_job

with run_job(snakemake):
    from mlip_core.report import Evaluated, entry_inputs, write_entry_page

    name, params = snakemake.wildcards.entry, snakemake.params
    evaluated = Evaluated(**params.evaluated)
    inputs = entry_inputs("results", name, params.dataset, evaluated, params.members)
    write_entry_page("results/report", inputs)
