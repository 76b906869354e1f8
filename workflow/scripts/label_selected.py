"""Energies and forces of structures that were chosen, by the reference calculator."""

from mlip_core.study.jobs import run_job
from mlip_core.study.runtime import set_one_thread_for_calculators

with run_job(snakemake):
    set_one_thread_for_calculators()
    from mlip_core.reference import generate_part, write_extxyz
    from mlip_core.reference.config import LabelPart

    part = LabelPart(name="selected", file=snakemake.input[0], **snakemake.params.calculator)
    write_extxyz(snakemake.output[0], generate_part(part, seed=0))
