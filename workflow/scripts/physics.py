"""One physics check of a model, or of any calculator."""

from functools import partial
from pathlib import Path

from mlip_core.study.devices import claim_gpus
from mlip_core.study.jobs import run_job
from mlip_core.study.runtime import prepare_jax

with run_job(snakemake), claim_gpus(snakemake.resources.gpu):
    prepare_jax(snakemake.threads)
    from mlip_core.physics import CHECKS, read_subject, run_check, write_result
    from mlip_core.study.entries import entry_calculator

    inputs, params = snakemake.input, snakemake.params
    name = snakemake.wildcards.check
    subject = read_subject(inputs.structures, inputs.distances, inputs.get("reference") or None)
    config = CHECKS[name].config(**params.config)
    load_calculator = partial(entry_calculator, inputs.get("model") or None, params.calculator)
    result = run_check(name, load_calculator, subject, config, params.seed)
    directory = Path(snakemake.output.summary).parent
    write_result(directory, name, CHECKS[name].title, config, result)
