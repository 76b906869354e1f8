"""The assignment of frames to splits."""

import numpy as np

from mlip_core.data.findings import raise_on_errors
from mlip_core.data.frame_index import FrameIndex
from mlip_core.data.splits.checking import check_split
from mlip_core.data.splits.config import SPLITS, SplitConfig
from mlip_core.data.splits.filling import filled, given_rows, ordered, wanted_sizes
from mlip_core.data.splits.split import Split
from mlip_core.utils.errors import UserError


def make_split(index: FrameIndex, config: SplitConfig, previous: Split | None = None) -> Split:
    """Assign the structures of a dataset to splits.

    Structures (or groups of them) are ranked by a hash of the seed and themselves, and the splits
    filled in the order test, valid, train: neither the order of the frames nor the platform
    matters, and of two training sets of different size, with all else equal, the smaller is a
    subset of the larger. Copies of a structure go into the same split. Copies, and frames of a
    group, that exceed the number asked for stay unused. With a ``previous`` split of the same
    settings, structures known to it stay where they are and new ones fill what is missing.

    Args:
        index: the frames; free atoms and dropped frames are in no split.
        config: the sizes and the seed.
        previous: what an earlier call returned.

    Raises:
        UserError: if the training set is empty, there are too few frames, a file is not of the
            dataset, or a finding is an error.
    """
    settings = config.model_dump(mode="json", exclude={"leakage", "unseen_elements"})
    if previous is not None and previous.settings != settings:
        previous = None
    structures = index.structures
    rows = given_rows(index, structures, config)
    given = np.concatenate([np.empty(0, dtype=np.int64), *rows.values()])
    pool = np.setdiff1d(structures, given, assume_unique=True)
    rows |= filled(index, pool, wanted_sizes(config, len(pool)), config, previous)
    rows, findings = check_split(index, rows, config)
    raise_on_errors(findings)
    if not len(rows["train"]):
        raise UserError("split: the training set is empty; give it more frames")
    rows = {name: ordered(index, name, rows[name], config.seed, previous) for name in SPLITS}
    return Split(
        settings=settings,
        rows=rows,
        digests={name: index.digest[rows[name]] for name in SPLITS},
        unused=len(structures) - sum(map(len, rows.values())),
        findings=findings,
    )
