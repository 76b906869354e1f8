"""Which structures of a pool to label next."""

from mlip_core.study.devices import claim_gpus
from mlip_core.study.jobs import run_job
from mlip_core.study.runtime import prepare_jax

with run_job(snakemake), claim_gpus(snakemake.resources.gpu):
    prepare_jax(snakemake.threads)
    from mlip_core.committee import load_committee, select_frames
    from mlip_core.committee.config import SelectionConfig
    from mlip_core.data.frame_index import read_index
    from mlip_core.data.frames import LabelKeys
    from mlip_core.reference import write_extxyz
    from mlip_core.study.frames import iterate_kept, iterate_unlabelled
    from mlip_core.utils.files import write_json

    inputs, params = snakemake.input, snakemake.params
    if inputs.pool_index:
        pool = iterate_kept(inputs.pool_index, LabelKeys(**params.pool_labels))
    else:
        pool = iterate_unlabelled(inputs.pool)
    selection = select_frames(
        load_committee(inputs.models) if inputs.models else [],
        list(pool),
        {digest.tobytes().hex() for digest in read_index(inputs.index).digest},
        SelectionConfig(**params.select),
        params.seed,
    )
    write_extxyz(snakemake.output.selected, selection.structures)
    write_json(snakemake.output.selection, selection.to_json())
