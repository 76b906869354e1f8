"""A share of the graphs of a split."""

from mlip_core.study.jobs import run_job

with run_job(snakemake.log[0]):
    from mlip_core.data.frames import LabelKeys
    from mlip_core.data.shards import shard_slice, write_shard
    from mlip_core.data.splits import select_frames
    from mlip_core.study.frames import read_structures

    params = snakemake.params
    frames = read_structures(snakemake.input.files, LabelKeys(**params.labels), params.require)
    selected = select_frames(frames, snakemake.input.split, snakemake.wildcards.split)
    index, num_shards = map(int, snakemake.wildcards.shard.split("-of-"))
    share = selected[shard_slice(len(selected), index, num_shards)]
    write_shard(snakemake.output[0], share, params.cutoff, params.require)
