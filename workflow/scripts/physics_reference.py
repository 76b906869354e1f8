"""What a physics check measures, by the calculator that made the dataset."""

from mlip_core.study.jobs import run_job
from mlip_core.study.runtime import set_one_thread_for_calculators

with run_job(snakemake):
    set_one_thread_for_calculators()
    from mlip_core.physics import CHECKS, measure_reference, read_subject
    from mlip_core.reference import make_calculator
    from mlip_core.utils.files import write_json

    check, reference = snakemake.wildcards.check, snakemake.params.reference
    measured = measure_reference(
        check,
        make_calculator(reference["calculator"], reference["arguments"]),
        read_subject(snakemake.input.structures, snakemake.input.distances),
        CHECKS[check].config(**snakemake.params.config),
    )
    write_json(snakemake.output[0], measured)
