"""A model made ready for a command, with as little waiting as possible."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlip_core.models import ForceField


def load_force_field(path: Path, threads: int | None) -> "ForceField":
    """A force field that predicts stress as well, which costs next to nothing beside the forces.

    Compiled programs are kept in the user's cache directory (``JAX_COMPILATION_CACHE_DIR`` names
    another one), so that a command starts faster the second time.

    Raises:
        UserError: if the file is not a model zip.
    """
    from mlip_core.models.model_zip import open_model_zip

    with open_model_zip(path):
        pass  # what is wrong with it is said before JAX is imported
    if "jax" not in sys.modules:
        _prepare_jax(threads)
    from mlip_core.models import ForceField, ForceFieldPredictor
    from mlip_core.models.model_io import load_model

    force_field = load_model(path)
    predictor = ForceFieldPredictor(force_field.predictor.mlip_network, predict_stress=True)
    return ForceField(predictor, force_field.params)


def _prepare_jax(threads: int | None) -> None:
    from mlip_core.study.compiled_programs import share_compiled_programs
    from mlip_core.study.runtime import prepare_jax
    from mlip_core.utils.cpu_backend import tune_cpu_backend

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    share_compiled_programs(str(cache / "mlip-core" / "jax"))
    if threads is None:
        tune_cpu_backend()
    else:
        prepare_jax(threads)
