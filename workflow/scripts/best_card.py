"""The card of the best model."""

from pathlib import Path

from mlip_core.study.jobs import run_job

with run_job(snakemake):
    from mlip_core.report import write_best_card

    cards = dict(zip(snakemake.params.runs, map(Path, snakemake.input.cards), strict=True))
    write_best_card(snakemake.output[0], Path(snakemake.input.choice), cards)
