"""How long steps of dynamics with a model take, for systems of several sizes."""

from mlip_core.study.devices import claim_gpus
from mlip_core.study.jobs import run_job
from mlip_core.study.runtime import prepare_jax

with run_job(snakemake), claim_gpus(snakemake.resources.gpu):
    prepare_jax(snakemake.threads)
    from mlip_core.physics import CostConfig, device_of, measure_cost, read_subject
    from mlip_core.study.entries import entry_calculator
    from mlip_core.utils.files import write_json

    inputs, params = snakemake.input, snakemake.params
    subject = read_subject(inputs.structures, inputs.distances)
    calculator = entry_calculator(inputs.get("model") or None, params.calculator)
    config = CostConfig(**params.cost)
    rows = measure_cost(calculator, subject.structures[0], subject.cutoff, config, params.seed)
    content = {"rows": rows, "device": device_of(calculator), "threads": snakemake.threads}
    write_json(snakemake.output[0], content)
