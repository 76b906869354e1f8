"""What a run can be made again from, somewhere else, with one command."""

import os
from pathlib import Path
from typing import Any

import yaml

from mlip_core.study.config import StudyConfig
from mlip_core.utils.files import write_text

_HEAD = """\
# The study of one run, with all defaults and seeds written out. Where the files that it names are,
# and nothing else needs to be, this makes the same model again:
#
#     snakemake --cores all results/models/{run}.zip --configfile {name}

"""

_OF_OTHERS = {
    *("defaults", "grids", "tables", "active_learning"),  # written out, as datasets and runs
    *("baselines", "committees", "testsets"),
}


def write_study_of_run(path: str | os.PathLike[str], study: StudyConfig, run: str) -> None:
    """Write the part of a study that makes one run, as a study file."""
    text = yaml.safe_dump(study_of_run(study, run), sort_keys=False, allow_unicode=True)
    write_text(path, _HEAD.format(name=Path(path).name, run=run) + text)


def study_of_run(study: StudyConfig, run: str) -> dict[str, Any]:
    """The part of a study that makes one run: it, the runs that it starts from, their datasets.

    Nothing in it depends on what else the study has: defaults, seeds and grids are written out.
    It is evaluated on the splits of its dataset.
    """
    runs = _with_starts(study, run)
    names = [name for one in runs for name in study.runs[one].datasets]
    part = study.model_copy(
        update={
            "datasets": {name: _with_seeds(study, name) for name in dict.fromkeys(names)},
            "runs": {name: study.run_config(name) for name in runs},
            "evaluation": study.evaluation.model_copy(
                update={"splits": study.evaluation.splits or ["valid"]}
            ),
        }
    )
    return part.model_dump(mode="json", exclude=_OF_OTHERS)


def _with_starts(study: StudyConfig, run: str) -> list[str]:
    """A run after those that it starts from."""
    start = study.runs[run].init_from
    return [*(_with_starts(study, start) if start in study.runs else []), run]


def _with_seeds(study: StudyConfig, dataset: str) -> Any:
    config = study.datasets[dataset]
    split = config.split.model_copy(update={"seed": study.split_seed(dataset)})
    return config.model_copy(update={"seed": study.dataset_seed(dataset), "split": split})
