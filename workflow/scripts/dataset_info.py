"""Gather the jobs' shards."""

from pathlib import Path

from mlip_core.study.jobs import run_job

with run_job(snakemake):
    from mlip_core.data.frames import LabelKeys
    from mlip_core.data.shards import gather
    from mlip_core.data.splits import SPLITS
    from mlip_core.study.frames import read_free_atom_energies

    params = snakemake.params
    atomic_energies = params.atomic_energies
    if atomic_energies == "isolated_atoms":
        labels = LabelKeys(**params.labels)
        atomic_energies = read_free_atom_energies(snakemake.input.index, labels)
    gather(
        {split: [Path(part).parent for part in snakemake.input[split]] for split in SPLITS},
        Path(snakemake.output.info).parent,
        atomic_energies,
        params.graph["avg_num_neighbors"],
        params.graph["avg_r_min_angstrom"],
        params.graph["energy_scale"],
    )
