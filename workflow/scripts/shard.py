"""One job's share of the graphs of a split."""

from pathlib import Path

from mlip_core.study.jobs import run_job

with run_job(snakemake):
    from mlip_core.data.frames import LabelKeys
    from mlip_core.data.shards import ShardPlan, write_shards
    from mlip_core.study.frames import iterate_split, split_size

    inputs, params, split = snakemake.input, snakemake.params, snakemake.wildcards.split
    labels = LabelKeys(**params.labels)
    plan = ShardPlan(split_size(inputs.split, split), params.structures_per_shard)
    shards = plan.of_job(*map(int, snakemake.wildcards.job.split("-of-")))
    first, last = plan.structures(shards)
    write_shards(
        Path(snakemake.output[0]).parent,
        iterate_split(inputs.index, inputs.split, split, labels, params.require, first, last),
        plan,
        shards,
        params.cutoff,
        params.require,
        missing_labels=labels.missing == "mask",
    )
