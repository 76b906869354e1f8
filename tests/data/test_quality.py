import json
from typing import Any

import numpy as np
import pytest

from mlip_core.data.frames import Frame, frame_from_atoms
from mlip_core.data.quality import Finding, QualityConfig, check_frames
from mlip_core.utils.errors import UserError
from tests.data.structures import copper, ethanol, ethanol_frames, frames_of, water

# Effective medium theory is made for metals: its forces on ethanol are large but sum to zero.
CALM = QualityConfig(max_force_ev_per_angstrom=1e6, force_outlier_factor=1e6)


def with_label(frame: Frame, **labels: Any) -> Frame:
    atoms = frame.atoms.copy()
    atoms.info |= {"energy": frame.energy, "forces": frame.forces}
    atoms.info |= labels
    return frame_from_atoms(atoms, require=(), file=frame.file, index=frame.index)


def findings(frames: list[Frame], config: QualityConfig = CALM) -> dict[str, Finding]:
    return {finding.check: finding for finding in check_frames(frames, config).findings}


def test_good_frames_have_no_findings() -> None:
    report = check_frames(ethanol_frames(6), CALM)
    assert report.findings == []
    report.raise_on_errors()


def test_summary() -> None:
    frames = frames_of([ethanol(0), ethanol(1), water(0), copper(0)])
    summary = check_frames(frames, CALM).summary
    assert summary["frames"] == 4
    assert summary["atoms"] == {"total": 29, "smallest": 3, "largest": 9}
    assert summary["frames_per_element"] == {"H": 3, "C": 2, "O": 3, "Cu": 1}
    assert summary["compositions"] == {"C2H6O": 2, "Cu8": 1, "H2O": 1}
    assert summary["periodic_frames"] == 1
    assert summary["labels"] == {"energy": 4, "forces": 4, "stress": 0}
    per_atom = [frame.energy / len(frame.atoms) for frame in frames]
    assert summary["energy_ev_per_atom"]["max"] == max(per_atom)
    forces = np.concatenate([frame.forces for frame in frames])
    assert summary["force_rms_ev_per_angstrom"] == pytest.approx(np.sqrt(np.mean(forces**2)))
    json.dumps(check_frames(frames, CALM).to_json(), allow_nan=False)


def test_missing_required_label_is_an_error() -> None:
    frames = ethanol_frames(6)
    frames[2] = frame_from_atoms(ethanol(2), require=(), file="some.xyz", index=2)
    report = check_frames(frames, CALM)
    missing = [f for f in report.errors if f.check == "missing labels"]
    assert [finding.frames for finding in missing] == [[{"file": "some.xyz", "index": 2}]] * 2
    with pytest.raises(UserError, match=r"1 frame without energy \(first: some.xyz frame 2\)"):
        report.raise_on_errors()


def test_label_of_some_frames_is_a_warning() -> None:
    frames = ethanol_frames(6)
    frames[0] = with_label(frames[0], stress=np.eye(3))
    finding = findings(frames)["missing labels"]
    assert (finding.severity, finding.count) == ("warn", 5)


def test_not_finite_values_are_an_error() -> None:
    frames = ethanol_frames(6)
    frames[3].forces[1, 2] = np.nan
    finding = findings(frames)["not finite"]
    assert (finding.severity, finding.frames[0]["index"]) == ("error", 3)


@pytest.mark.parametrize("severity", ["warn", "error"])
def test_duplicates(severity: str) -> None:
    frames = frames_of([ethanol(0), ethanol(1), ethanol(0), ethanol(2), ethanol(0)])
    found = findings(frames, CALM.model_copy(update={"duplicates": severity}))
    assert found["duplicates"].severity == severity
    assert [frame["index"] for frame in found["duplicates"].frames] == [2, 4]
    assert "conflicting duplicates" not in found


def test_duplicates_with_other_labels_are_an_error() -> None:
    frames = ethanol_frames(6)
    frames.append(with_label(frames[0], energy=frames[0].energy + 0.1))
    assert findings(frames)["conflicting duplicates"].severity == "error"


@pytest.mark.parametrize(("distance", "is_found"), [(0.35, True), (0.45, False)])
def test_atoms_too_close_also_across_the_boundary(distance: float, is_found: bool) -> None:
    frames = []
    for seed in range(5):
        atoms = copper(seed)
        atoms.positions[0] = atoms.positions[1] + distance * np.array([1, 0, 0]) - atoms.cell[0]
        frames += frames_of([atoms])
    found = findings(frames)
    assert ("atoms too close" in found) == is_found
    if is_found:
        assert found["atoms too close"].count == 5


def test_net_force() -> None:
    frames = ethanol_frames(6)
    frames[1] = with_label(frames[1], forces=frames[1].forces + 0.02)  # 9 atoms: 0.18 per axis
    finding = findings(frames)["net force"]
    assert (finding.severity, finding.count) == ("warn", 1)
    assert "net force" not in findings(
        frames, CALM.model_copy(update={"max_net_force_ev_per_angstrom": 1.0})
    )


def pushed(frame: Frame, force: float) -> Frame:
    forces = frame.forces.copy()
    forces[0, 0] += force
    forces[1, 0] -= force
    return with_label(frame, forces=forces)


def test_large_forces_are_errors_and_outliers_warnings() -> None:
    frames = frames_of([copper(seed) for seed in range(12)])
    frames[4], frames[7] = pushed(frames[4], 400.0), pushed(frames[7], 60.0)
    found = findings(frames, QualityConfig())
    assert (found["force too large"].severity, found["force too large"].count) == ("error", 1)
    assert found["force too large"].frames[0]["index"] == 4
    assert (found["force outliers"].severity, found["force outliers"].count) == ("warn", 1)
    assert found["force outliers"].frames[0]["index"] == 7


def test_rare_elements() -> None:
    frames = [*ethanol_frames(6), *frames_of([copper(0)])]
    finding = findings(frames)["rare element"]
    assert finding.severity == "warn"
    assert "Cu occurs in only 1 frame" in str(finding)


def test_only_the_first_frames_are_listed_but_all_counted() -> None:
    frames = frames_of([ethanol(0)] * 30)
    finding = findings(frames)["duplicates"]
    assert finding.count == 29
    assert len(finding.frames) == 10


def test_several_errors_are_one_line() -> None:
    frames = ethanol_frames(5)
    frames[0] = frame_from_atoms(ethanol(0), require=())
    frames[1] = with_label(labelled_frame := frames[1], forces=labelled_frame.forces * 1e9)
    with pytest.raises(UserError, match="and 2 more in the quality report") as error:
        check_frames(frames, CALM).raise_on_errors()
    assert "\n" not in str(error.value)


def test_no_frames() -> None:
    with pytest.raises(UserError, match="no frames"):
        check_frames([])
