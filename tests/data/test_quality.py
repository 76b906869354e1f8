"""Every check of a dataset: fires on data made to be wrong, keeps silent on data that are right."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator

from mlip_core.data.findings import Finding
from mlip_core.data.frames import Frame, FrameBlock, LabelKeys, frame_from_atoms, in_blocks
from mlip_core.data.quality import (
    ActionsConfig,
    QualityConfig,
    QualityReport,
    check_files,
    check_frames,
)
from mlip_core.data.quality.table import measure_frames
from mlip_core.data.quality.work import measure_work
from mlip_core.utils.errors import UserError
from tests.data.structures import labelled

FREE_ATOMS = {"H": -13.6, "C": -1027.5, "O": -2041.8}
HARTREE, BOHR, GPA = 27.211386245981, 0.529177210544, 1 / 160.21766208
Spoil = Callable[[list[Atoms]], object]


def springs(formula: str = "CH3CH2OH", seed: int = 0, width: float = 0.05) -> Atoms:
    """A molecule rattled by ``width`` Å, with a spring of 3 eV/Å² between each two atoms."""
    atoms = molecule(formula)
    lengths = atoms.get_all_distances()
    atoms.positions += np.random.default_rng(seed).normal(scale=width, size=(len(atoms), 3))
    stretches = atoms.get_all_distances() - lengths
    vectors = atoms.get_all_distances(vector=True)
    directions = vectors / (atoms.get_all_distances() + np.eye(len(atoms)))[:, :, None]
    energy = sum(FREE_ATOMS[symbol] for symbol in atoms.symbols) - 3.5 * len(atoms)
    energy += 3.0 / 4 * float((stretches**2).sum())
    forces = 3.0 * np.einsum("ij,ijk->ik", stretches, directions)
    return with_labels(atoms, energy=energy, forces=forces)


def with_labels(atoms: Atoms, **labels: Any) -> Atoms:
    """The structure with labels, those of its calculator but for the given."""
    given = {} if atoms.calc is None else dict(atoms.calc.results)
    given |= {name: value for name, value in labels.items() if value is not None}
    copy = atoms.copy()
    copy.calc = SinglePointCalculator(copy, **given)
    return copy


def scaled(atoms: Atoms, **factors: float) -> Atoms:
    """The structure with some labels multiplied."""
    return with_labels(atoms, **{k: f * atoms.calc.results[k] for k, f in factors.items()})


def molecules(count: int = 24, size: float = 1.0) -> list[Atoms]:
    return [springs(seed=seed, width=0.05 * size) for seed in range(count)]


def crystals(count: int = 24, size: float = 1.0) -> list[Atoms]:
    """Rattled copper, with energies, forces and stresses of effective medium theory."""
    frames = []
    for seed in range(count):
        atoms = bulk("Cu", cubic=True) * (2, 1, 1)
        displacements = np.random.default_rng(seed).normal(0, 0.05, atoms.positions.shape)
        atoms.positions += size * displacements
        frames.append(labelled(atoms, stress=True))
    return frames


def strained(count: int = 24, size: float = 1.0) -> list[Atoms]:
    """Copper under random strains, a cell each."""
    frames = []
    for seed in range(count):
        strain = np.random.default_rng(seed).uniform(-0.01, 0.01, (3, 3)) * size
        atoms = bulk("Cu", cubic=True)
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain + strain.T), scale_atoms=True)
        frames.append(labelled(atoms, stress=True))
    return frames


def as_frames(structures: Sequence[Atoms], file: str = "some.xyz") -> list[Frame]:
    return [
        frame_from_atoms(atoms, require=(), file=file, index=index)
        for index, atoms in enumerate(structures)
    ]


def report(structures: Sequence[Atoms], **config: Any) -> QualityReport:
    return check_frames(as_frames(structures), QualityConfig(**config))[0]


def found(structures: Sequence[Atoms], **config: Any) -> dict[str, Finding]:
    return {finding.check: finding for finding in report(structures, **config).findings}


def indices(finding: Finding) -> list[int]:
    return [frame["index"] for frame in finding.frames]


@pytest.mark.parametrize("make", [molecules, crystals, strained])
def test_clean_data_have_no_findings(make: Callable[[], list[Atoms]]) -> None:
    assert found(make()) == {}


def test_clean_data_of_many_compositions_have_no_findings() -> None:
    formulas = ("CH3CH2OH", "CH4", "H2O", "C2H6", "CH3OH", "C6H6", "H2CO", "HCOOH")
    assert found([springs(formula, seed) for formula in formulas for seed in range(12)]) == {}


@pytest.mark.parametrize("missing", ["energy", "forces"])
def test_labels_that_are_not_there_are_no_finding(missing: str) -> None:
    frames = molecules()
    for atoms in frames:
        del atoms.calc.results[missing]
    assert found(frames, require=()) == {}


@pytest.mark.parametrize(("sign", "checks"), [(1.0, []), (-1.0, ["inconsistent_stress"])])
def test_cells_of_one_atom(sign: float, checks: list[str]) -> None:
    frames = []
    for seed in range(24):
        atoms = bulk("Cu")
        atoms.set_cell((1 + 0.01 * np.sin(seed)) * atoms.cell, scale_atoms=True)
        frames.append(scaled(labelled(atoms, stress=True), stress=sign))
    assert list(found(frames)) == checks


# One structure of a clean set is spoiled (or a few), and the check that must see it.


def copy_one(frames: list[Atoms]) -> None:
    frames[9] = frames[2]


def copy_one_with_other_energy(frames: list[Atoms]) -> None:
    frames[9] = with_labels(frames[2], energy=frames[2].get_potential_energy() + 0.01)


def copy_one_with_turned_forces(frames: list[Atoms]) -> None:
    frames[9] = scaled(frames[2], forces=-1.0)


def push_together(frames: list[Atoms]) -> None:
    frames[9].positions[-1] = frames[9].positions[0] + [0.0, 0.3, 0.0]


def fly_away(frames: list[Atoms]) -> None:
    frames[9].positions[-1] += [0.0, 0.0, 9.0]


def fly_away_in_pairs(frames: list[Atoms]) -> None:
    frames[9].positions[:2] += [0.0, 0.0, 12.0]


def break_bond(frames: list[Atoms]) -> None:
    frames[9].positions[-1] += 0.8 * (frames[9].positions[-1] - frames[9].positions.mean(axis=0))


def push_all(frames: list[Atoms]) -> None:
    frames[9] = with_labels(frames[9], forces=frames[9].get_forces() + 0.02)


def pull_apart(size: float) -> Spoil:
    def pull(frames: list[Atoms]) -> None:
        forces = frames[9].get_forces()
        forces[0, 0] += size
        forces[1, 0] -= size
        frames[9] = with_labels(frames[9], forces=forces)

    return pull


def raise_energy(frames: list[Atoms]) -> None:
    frames[9] = with_labels(frames[9], energy=frames[9].get_potential_energy() + 4.0)


def carbon_once(frames: list[Atoms]) -> None:
    frames[9] = frames[9].copy()
    frames[9].symbols[0] = "Si"


@pytest.mark.parametrize(
    ("spoil", "check", "action"),
    [
        (copy_one, "duplicates", "warn"),
        (copy_one_with_other_energy, "conflicting_duplicates", "error"),
        (copy_one_with_turned_forces, "conflicting_duplicates", "error"),
        (push_together, "close_atoms", "error"),
        (fly_away, "isolated_atoms", "warn"),
        (fly_away_in_pairs, "fragments", "warn"),
        (break_bond, "broken_bonds", "warn"),
        (push_all, "net_force", "warn"),
        (pull_apart(400.0), "large_forces", "error"),
        (pull_apart(60.0), "force_outliers", "warn"),
        (raise_energy, "energy_outliers", "warn"),
        (carbon_once, "rare_elements", "warn"),
    ],
)
def test_one_wrong_frame_is_found_and_nothing_else(spoil: Spoil, check: str, action: str) -> None:
    frames = molecules()
    spoil(frames)
    findings = found(frames)
    assert list(findings) == [check]
    assert (findings[check].action, findings[check].count) == (action, 1)
    assert indices(findings[check]) == [9]
    assert "some.xyz: frame 9" in str(findings[check])


@pytest.mark.parametrize(("distance", "is_found"), [(0.35, True), (0.45, False)])
def test_atoms_too_close_across_the_boundary_of_the_cell(distance: float, is_found: bool) -> None:
    frames = crystals()
    positions, cell = frames[9].positions, frames[9].cell.array
    positions[0] = positions[1] + distance * np.array([1, 0, 0]) - cell[0]
    assert ("close_atoms" in found(frames)) == is_found


def test_a_piece_within_the_gap_is_no_fragment() -> None:
    frames = molecules()
    fly_away_in_pairs(frames)
    assert "fragments" not in found(frames, max_gap_angstrom=15.0)


def test_mixtures_of_molecules_are_not_broken() -> None:
    frames = []
    for seed in range(24):
        pair = springs(seed=seed)
        other = springs("H2O", seed)
        other.positions += [0.0, 0.0, 4.0]
        ours, theirs = pair.calc.results, other.calc.results
        forces = np.concatenate([ours["forces"], theirs["forces"]])
        energy = ours["energy"] + theirs["energy"]
        frames.append(with_labels(pair + other, energy=energy, forces=forces))
    assert found(frames) == {}


def test_cells() -> None:
    frames = crystals()
    thin = frames[3].copy()
    thin.set_cell(0.1 * thin.cell, scale_atoms=True)
    frames[3] = with_labels(thin, energy=frames[3].get_potential_energy())
    left_handed = frames[5]
    left_handed.set_cell(left_handed.cell.array[[1, 0, 2]])
    cells = [f for f in report(frames).findings if f.check == "cells"]
    assert [(finding.action, indices(finding)) for finding in cells] == [
        ("warn", [3]),
        ("warn", [5]),
    ]
    assert "thinner than 1.5 Å" in cells[0].message
    assert "left-handed" in cells[1].message


def test_height_of_a_cell_is_measured_along_periodic_directions_only() -> None:
    slab = bulk("Cu", cubic=True)
    slab.set_cell(np.array([[3.6, 0, 0], [1.8, 3.0, 0], [0, 0, 0.5]]))
    wire = slab.copy()
    slab.pbc, wire.pbc = [True, True, False], [True, False, False]
    crystal = slab.copy()
    crystal.pbc = True
    frames = {"some.xyz": in_blocks(as_frames([crystal, slab, wire]))}
    table = measure_frames(frames, QualityConfig(), lambda bad: pytest.fail(bad.message))
    np.testing.assert_allclose(table.cell_height, [0.5, 3.0, 3.6], rtol=1e-12)
    np.testing.assert_allclose(table.volume, [3.6 * 3.0 * 0.5, np.nan, np.nan], rtol=1e-12)


def test_a_hot_and_a_cold_half_are_not_mixed() -> None:
    frames = [springs(seed=seed, width=0.02 if seed % 2 else 0.25) for seed in range(60)]
    findings = found(frames, force_outlier_factor=1e6)
    assert "mixed_energies" not in findings
    assert "energy_outliers" not in findings


@pytest.mark.parametrize("share", [5, 2])
def test_two_levels_of_theory(share: int) -> None:
    frames = molecules(60)
    shifted = range(0, 60, share)
    for index in shifted:
        energy = frames[index].get_potential_energy()
        frames[index] = with_labels(frames[index], energy=energy - 6.0)
    finding = found(frames, max_frames_listed=99)["mixed_energies"]
    assert "of one composition are in two groups 0." in finding.message
    if share > 2:
        assert indices(finding) == list(shifted)


def test_some_energies_in_hartree() -> None:
    frames = molecules(60)
    for index in range(0, 60, 5):
        frames[index] = scaled(frames[index], energy=1 / HARTREE)
    finding = found(frames)["mixed_energies"]
    assert "their ratio is that of Hartree to eV" in finding.message
    assert finding.count == 12


def test_compositions_with_energies_in_hartree() -> None:
    formulas = ("CH3CH2OH", "CH4", "H2O", "C2H6", "CH3OH", "C6H6", "H2CO", "HCOOH")
    frames = [springs(formula, seed) for formula in formulas for seed in range(12)]
    for index in range(24, 36):
        frames[index] = scaled(frames[index], energy=1 / HARTREE, forces=1.0)
    finding = found(frames, max_frames_listed=99)["mixed_energies"]
    assert indices(finding) == list(range(24, 36))


@pytest.mark.parametrize(
    ("make", "factors", "check", "hint"),
    [
        (molecules, {"forces": -1.0}, "inconsistent_forces", "sign of the forces is wrong"),
        (
            molecules,
            {"forces": BOHR / HARTREE},
            "inconsistent_forces",
            "are the forces in Hartree/Bohr?",
        ),
        (
            molecules,
            {"energy": 1 / HARTREE},
            "inconsistent_forces",
            "or the energies in Hartree?",
        ),
        (crystals, {"forces": -1.0}, "inconsistent_forces", "sign of the forces is wrong"),
        (crystals, {"forces": 23.06}, "inconsistent_forces", "are the forces in kcal/mol/A"),
        (strained, {"stress": -1.0}, "inconsistent_stress", "sign of the stresses is wrong"),
        (strained, {"stress": 1 / GPA}, "inconsistent_stress", "are the stresses in GPa?"),
    ],
)
def test_labels_that_contradict_the_energy(
    make: Callable[[], list[Atoms]], factors: dict[str, float], check: str, hint: str
) -> None:
    frames = [scaled(atoms, **factors) for atoms in make()]
    finding = found(frames, max_force_ev_per_angstrom=1e6)[check]
    assert hint in finding.message
    assert finding.count == len(frames)


@pytest.mark.parametrize("make", [molecules, crystals])
@pytest.mark.parametrize(("factor", "what"), [(BOHR, "closer"), (1 / BOHR, "farther apart")])
def test_lengths_in_another_unit(make: Callable[[], list[Atoms]], factor: float, what: str) -> None:
    frames = make()
    for atoms in frames:
        atoms.set_cell(factor * atoms.cell)
        atoms.positions *= factor
    assert f"much {what} than bonds" in found(frames)["lengths"].message


def test_stresses_of_a_size_that_no_solid_has() -> None:
    frames = [scaled(atoms, stress=10 / GPA) for atoms in crystals()]
    assert "half of the stresses are above" in found(frames)["inconsistent_stress"].message


def test_frames_far_apart_say_nothing_about_forces() -> None:
    frames = [scaled(springs(seed=seed, width=0.4), forces=-1.0) for seed in range(24)]
    assert "inconsistent_forces" not in found(frames)


@pytest.mark.parametrize("make", [molecules, crystals, strained])
def test_work_is_the_change_of_the_energy(make: Callable[..., list[Atoms]]) -> None:
    frames = make(size=0.2)
    for seed, atoms in enumerate(frames):
        if not atoms.pbc.any():  # Turned molecules are the same.
            turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
            turn *= np.linalg.det(turn)
            forces = atoms.get_forces() @ turn
            energy = atoms.get_potential_energy()
            atoms.positions = atoms.positions @ turn + seed
            frames[seed] = with_labels(atoms, energy=energy, forces=forces)
    first, *others = as_frames(frames)
    work = measure_work(FrameBlock.of(others), first)
    largest = np.abs(work["energy_change"]).max()
    np.testing.assert_allclose(
        work["force_work"] + work["stress_work"], work["energy_change"], atol=0.03 * largest
    )


def test_blocks_are_not_seen_in_the_result() -> None:
    frames = as_frames(molecules(600))  # more than fit into one block
    table = measure_frames({"some.xyz": in_blocks(frames)}, QualityConfig(), lambda bad: None)
    assert np.flatnonzero(np.isnan(table.energy_change)).tolist() == [0]
    halves = [
        measure_frames({"some.xyz": in_blocks(part)}, QualityConfig(), lambda bad: None)
        for part in (frames[:300], frames[300:])
    ]
    for name in ("smallest_distance", "net_force", "force_mark", "n_pieces"):
        joined = np.concatenate([getattr(half, name) for half in halves])
        np.testing.assert_array_equal(getattr(table, name), joined)


def test_rare_elements_follow_the_threshold() -> None:
    frames = [*molecules(), *crystals(4)]
    finding = found(frames)["rare_elements"]
    assert "Cu occurs in only 4 frames" in finding.message
    assert "rare_elements" not in found(frames, min_frames_per_element=4)


@pytest.fixture
def bad_file(tmp_path: Path) -> str:
    """Frame 3 has a position that is not a number, frame 5 no forces."""
    path = tmp_path / "bad.xyz"
    frames = molecules(12)
    frames[5].calc.results.pop("forces")
    for atoms in frames:
        ase.io.write(path, atoms, format="extxyz", append=True)
    lines = path.read_text().splitlines()
    atom = lines[3 * 11 + 4].split()
    lines[3 * 11 + 4] = " ".join([atom[0], "nan", *atom[2:]])
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_frames_that_cannot_be_used_are_an_error(bad_file: str) -> None:
    with pytest.raises(UserError, match=r"bad.xyz: frame 3: .*\(and 1 frame more .*\)$"):
        check_files([bad_file])


def test_frames_that_cannot_be_used_can_be_dropped(bad_file: str) -> None:
    actions = ActionsConfig(bad_frames="drop", missing_labels="warn")
    quality, index = check_files([bad_file], config=QualityConfig(actions=actions))
    findings = {finding.check: finding for finding in quality.findings}
    assert list(findings) == ["bad_frames", "missing_labels"]
    assert findings["bad_frames"].frames == [{"file": bad_file, "index": 3}]
    assert findings["missing_labels"].frames == [{"file": bad_file, "index": 5}]
    assert index.index.tolist() == [0, 1, 2, 4, 6, 7, 8, 9, 10, 11]
    assert quality.summary["frames"] == 10


def test_dropped_frames_are_marked_and_not_looked_at_again() -> None:
    frames = molecules()
    copy_one(frames)
    frames[4] = scaled(frames[4], forces=1e4)
    actions = ActionsConfig(duplicates="drop", large_forces="drop", force_outliers="error")
    quality, index = check_frames(as_frames(frames), QualityConfig(actions=actions))
    quality.raise_on_errors()
    assert {finding.check: finding.action for finding in quality.findings} == {
        "duplicates": "drop",
        "large_forces": "drop",
    }
    assert index.drop_reasons == ("duplicates", "large_forces")
    assert [index.dropped_by[i] for i in (3, 4, 9)] == [0, 2, 1]
    assert not {4, 9} & set(index.structures.tolist())
    assert quality.summary["frames"] == 22
    assert quality.summary["dropped"] == {"duplicates": 1, "large_forces": 1}


def test_what_is_ignored_is_not_said() -> None:
    frames = molecules()
    copy_one(frames)
    assert found(frames, actions={"duplicates": "ignore"}) == {}


def test_nothing_left() -> None:
    with pytest.raises(UserError, match=r"close_atoms: .*no frame is left"):
        report(molecules(), min_distance_angstrom=2.0, actions={"close_atoms": "drop"})


def test_only_the_first_frames_are_listed_but_all_counted() -> None:
    finding = found([springs()] * 30)["duplicates"]
    assert (finding.count, len(finding.frames)) == (29, 10)


def test_several_errors_are_one_line() -> None:
    frames = molecules()
    push_together(frames)
    copy_one_with_other_energy(frames)
    frames[12] = scaled(frames[12], forces=1e5)
    with pytest.raises(UserError, match=r"\(and 1 more in the log\)$") as error:
        report(frames).raise_on_errors()
    assert "\n" not in str(error.value)


def test_free_atoms_are_indexed_but_not_checked() -> None:
    atoms = [with_labels(Atoms(symbol), energy=FREE_ATOMS[symbol]) for symbol in "HCO"]
    quality, index = check_frames(as_frames([*molecules(), *atoms]))
    assert quality.findings == []
    assert (quality.summary["frames"], quality.summary["free_atoms"]) == (24, 3)
    assert index.free_atoms.tolist() == [24, 25, 26]
    with pytest.raises(UserError, match=r"some.xyz: only free atoms"):
        check_frames(as_frames(atoms))


def test_summary() -> None:
    frames = [springs(seed=0), springs(seed=1), springs("H2O"), crystals(1)[0]]
    quality = report(frames)
    summary = quality.summary
    assert summary["frames"] == 4
    assert summary["atoms"] == {"total": 29, "smallest": 3, "largest": 9}
    assert summary["frames_per_element"] == {"H": 3, "C": 2, "O": 3, "Cu": 1}
    assert summary["compositions"] == {
        "number": 3,
        "frequent": {"C2H6O": 2, "H2O": 1, "Cu8": 1},
    }
    assert summary["periodic_frames"] == 1
    assert summary["smallest_cell_height_angstrom"] == pytest.approx(3.61)
    assert summary["labels"] == {"energy": 4, "forces": 4, "stress": 1}
    per_atom = [atoms.get_potential_energy() / len(atoms) for atoms in frames]
    assert summary["energy_ev_per_atom"]["max"] == max(per_atom)
    forces = np.concatenate([atoms.get_forces() for atoms in frames])
    assert summary["force_rms_ev_per_angstrom"] == pytest.approx(np.sqrt(np.mean(forces**2)))
    json.dumps(quality.to_json(), allow_nan=False)


def test_a_label_that_no_frame_has_is_an_error_although_some_may_lack_it(tmp_path: Path) -> None:
    path = tmp_path / "some.xyz"
    ase.io.write(path, molecules())
    labels = LabelKeys(energy_key="REF_energy", missing="mask")
    with pytest.raises(UserError, match=r"no frame has energy; set labels\.energy_key"):
        check_files([str(path)], labels)
