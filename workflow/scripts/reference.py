"""All parts of a dataset's reference data in one file."""

from mlip_core.study.jobs import run_job

with run_job(snakemake):
    from mlip_core.reference import join_parts

    join_parts(snakemake.input, snakemake.output[0])
