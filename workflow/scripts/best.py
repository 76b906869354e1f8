"""The best model of the study under a name of its own."""

import shutil

from mlip_core.study.jobs import run_job

with run_job(snakemake.log[0]):
    from mlip_core.study.best import choose_best
    from mlip_core.utils.files import atomic_path, write_json

    runs = snakemake.params.runs
    choice = choose_best(
        dict(zip(runs, snakemake.input.metrics, strict=True)), snakemake.params.metric
    )
    models = dict(zip(runs, snakemake.input.models, strict=True))
    with atomic_path(snakemake.output.model) as temporary:
        shutil.copyfile(models[choice["run"]], temporary)
    write_json(snakemake.output.choice, choice)
