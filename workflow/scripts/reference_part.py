"""One trajectory, or one file of structures, labelled by an ASE calculator."""

from mlip_core.study.jobs import run_job
from mlip_core.study.runtime import set_one_thread_for_calculators

with run_job(snakemake):
    set_one_thread_for_calculators()
    from mlip_core.reference import ReferencePart, generate_part, write_extxyz
    from pydantic import TypeAdapter

    part = TypeAdapter(ReferencePart).validate_python(snakemake.params.part)
    write_extxyz(snakemake.output[0], generate_part(part, snakemake.params.seed))
