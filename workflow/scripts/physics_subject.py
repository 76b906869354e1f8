"""The structures that are checked, relaxed by the calculator that made them, if one did."""

from dataclasses import replace

from mlip_core.study.jobs import run_job
from mlip_core.study.runtime import set_one_thread_for_calculators

with run_job(snakemake):
    set_one_thread_for_calculators()
    from mlip_core.data.frames import LabelKeys
    from mlip_core.physics import relaxed_structures, write_subject
    from mlip_core.physics.config import StructuresConfig
    from mlip_core.reference import make_calculator
    from mlip_core.study.physics_subject import select_subject

    inputs, params = snakemake.input, snakemake.params
    config = StructuresConfig(**params.structures)
    labels = LabelKeys(**params.labels)
    subject = select_subject(inputs.index, inputs.split, labels, params.cutoff, config)
    if params.reference:
        calculator = make_calculator(params.reference["calculator"], params.reference["arguments"])
        relaxed = list(relaxed_structures(subject.structures, calculator, config))
        subject = replace(subject, structures=relaxed)
    write_subject(snakemake.output.structures, snakemake.output.distances, subject)
