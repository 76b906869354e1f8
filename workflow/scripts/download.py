"""A file from the web, compared with its checksum."""

from mlip_core.study.jobs import run_job

with run_job(snakemake):
    from mlip_core.study.download import download

    download(snakemake.params.url, snakemake.wildcards.sha256, snakemake.output[0])
