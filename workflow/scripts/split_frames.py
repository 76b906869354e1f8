"""A split's frames, with their labels, as a file."""

from mlip_core.study.jobs import run_job

with run_job(snakemake):
    from mlip_core.data.frames import LabelKeys
    from mlip_core.reference import write_extxyz
    from mlip_core.study.split_export import export_split

    inputs, params = snakemake.input, snakemake.params
    labels, split = LabelKeys(**params.labels), snakemake.wildcards.split
    frames = export_split(inputs.index, inputs.split, split, labels, params.require)
    write_extxyz(snakemake.output[0], list(frames))
