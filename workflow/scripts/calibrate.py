"""The spread of a committee against its errors."""

from pathlib import Path

from mlip_core.study.devices import claim_gpus
from mlip_core.study.jobs import run_job
from mlip_core.study.runtime import prepare_jax

with run_job(snakemake), claim_gpus(snakemake.resources.gpu):
    prepare_jax(snakemake.threads)
    from mlip_core.committee import calibrate, load_committee
    from mlip_core.committee.config import CalibrationConfig
    from mlip_core.data.frames import LabelKeys
    from mlip_core.physics import write_result
    from mlip_core.study.frames import iterate_split

    inputs, params = snakemake.input, snakemake.params
    labels = LabelKeys(**params.labels)
    valid, test = (
        list(iterate_split(inputs.index, inputs.split, split, labels, require=()))
        for split in ("valid", "test")
    )
    config = CalibrationConfig(**params.calibration)
    members = load_committee(inputs.models)
    result = calibrate(members, valid, test, config, params.batch_size)
    path = Path(snakemake.output.summary)
    write_result(path.parent, path.stem, "Spread against error", config, result)
