"""What the energies of a model from elsewhere lack for each atom."""

from mlip_core.study.devices import claim_gpus
from mlip_core.study.jobs import run_job
from mlip_core.study.runtime import prepare_jax

with run_job(snakemake), claim_gpus(snakemake.resources.gpu):
    prepare_jax(snakemake.threads)
    from mlip_core.data.frames import LabelKeys
    from mlip_core.evaluation import fit_energy_shift, write_energy_shift
    from mlip_core.study.entries import load_entry
    from mlip_core.study.frames import iterate_split

    inputs, params = snakemake.input, snakemake.params
    labels = LabelKeys(**params.labels)
    frames = iterate_split(inputs.index, inputs.split, "train", labels, (), stop=params.frames)
    entry = load_entry(inputs.get("model") or None, params.calculator)
    write_energy_shift(snakemake.output[0], fit_energy_shift(entry, frames, params.batch_size))
