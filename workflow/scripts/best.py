"""The best model of the study under a name of its own."""

import shutil

from mlip_core.study.jobs import run_job

with run_job(snakemake):
    from mlip_core.study.best import read_best_run
    from mlip_core.utils.files import atomic_path

    models = dict(zip(snakemake.params.runs, snakemake.input.models, strict=True))
    best = read_best_run(snakemake.input.choice)
    with atomic_path(snakemake.output[0]) as temporary:
        shutil.copyfile(models[best], temporary)
