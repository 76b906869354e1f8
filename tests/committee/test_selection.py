"""Which structures are chosen: uncertain, different from each other, and not known yet."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from ase.build import molecule
from scipy.spatial.transform import Rotation

from mlip_core.committee import iterate_committee, load_committee, select_frames
from mlip_core.committee.config import SelectionConfig
from mlip_core.committee.descriptors import distance_histograms, farthest_points
from mlip_core.committee.predictions import CommitteeValues
from mlip_core.data.frames import Frame, frame_from_atoms
from mlip_core.models import ForceField
from mlip_core.models.model_io import load_model
from mlip_core.utils.errors import UserError
from tests.committee.test_calculator import ZIPS, with_noise
from tests.data.structures import copper, ethanol, frames_of, water


@pytest.fixture(scope="module")
def members() -> list[ForceField]:
    source = load_model(ZIPS / "mace.zip")
    return load_committee([with_noise(source, seed) for seed in range(2)])


@pytest.fixture(scope="module")
def pool() -> list[Frame]:
    return frames_of([water(seed) for seed in range(20)])


def config(**options: object) -> SelectionConfig:
    return SelectionConfig.model_validate({"per_round": 3, **options})


def test_those_with_the_largest_spread_are_chosen(
    members: list[ForceField], pool: list[Frame]
) -> None:
    spreads = np.array([values.max_force_spread for _, values in iterate_committee(members, pool)])
    most = set(np.argsort(-spreads)[:3].tolist())
    one_each = select_frames(members, pool, (), config(candidates_per_choice=1), seed=0)
    assert {frame.index for frame in one_each.frames} == most
    among_twelve = select_frames(members, pool, (), config(candidates_per_choice=4), seed=0)
    chosen = [frame.index for frame in among_twelve.frames]
    assert chosen[0] == spreads.argmax()
    assert set(chosen) <= set(np.argsort(-spreads)[:12].tolist())
    assert set(chosen) != most
    np.testing.assert_allclose(among_twelve.spreads, spreads[chosen])
    assert among_twelve.spread_quantiles["1.0"] == pytest.approx(spreads.max())


def test_structures_that_are_too_uncertain_are_left_out(
    members: list[ForceField], pool: list[Frame]
) -> None:
    spreads = np.array([values.max_force_spread for _, values in iterate_committee(members, pool)])
    limit = float(np.sort(spreads)[10])
    options = config(max_spread_ev_per_angstrom=limit, candidates_per_choice=1)
    assert select_frames(members, pool, (), options, seed=0).spreads.max() <= limit


def test_structures_without_finite_forces_are_left_out(
    members: list[ForceField], pool: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> Iterator[tuple[Frame, CommitteeValues]]:
        for frame, values in iterate_committee(*arguments):
            if frame.index < 17:
                values.forces[0, 0, 0] = np.nan
            yield frame, values

    monkeypatch.setattr("mlip_core.committee.selection.iterate_committee", broken)
    selection = select_frames(members, pool, (), config(), seed=0)
    assert {frame.index for frame in selection.frames} == {17, 18, 19}
    assert selection.pool == 3
    assert np.isfinite(list(selection.spread_quantiles.values())).all()
    with pytest.raises(UserError, match="4 structures asked for, but the pool has 3"):
        select_frames(members, pool, (), config(per_round=4), seed=0)


@pytest.mark.parametrize("strategy", ["spread", "random"])
def test_what_is_known_or_a_copy_is_not_chosen(
    strategy: str, members: list[ForceField], pool: list[Frame]
) -> None:
    known = {frame.digest for frame in pool[:16]}
    twice = [*pool, *pool]
    selection = select_frames(members, twice, known, config(strategy=strategy), seed=0)
    assert selection.pool == 4
    digests = {frame.digest for frame in selection.frames}
    assert len(digests) == 3
    assert not digests & known
    with pytest.raises(UserError, match="5 structures asked for, but the pool has 4"):
        select_frames(members, twice, known, config(strategy=strategy, per_round=5), seed=0)


def test_a_random_choice_follows_from_the_seed(pool: list[Frame]) -> None:
    options = config(strategy="random", per_round=5)
    first, again, other = (select_frames([], pool, (), options, seed) for seed in (1, 1, 2))
    assert [f.index for f in first.frames] == [f.index for f in again.frames]
    assert [f.index for f in first.frames] != [f.index for f in other.frames]
    assert first.to_json()["selected"][0]["max_force_spread_ev_per_angstrom"] is None


def test_farthest_points_on_a_line() -> None:
    points = np.array([[0.0], [1.0], [2.0], [9.0], [10.0]])
    assert farthest_points(points, 3) == [0, 4, 2]
    assert farthest_points(points, 5, first=3)[:2] == [3, 0]
    assert sorted(farthest_points(np.zeros((4, 2)), 4)) == [0, 1, 2, 3]


def test_histograms_do_not_change_with_orientation_or_order() -> None:
    atoms = molecule("CH3CH2OH")
    moved = atoms.copy()
    moved.positions = Rotation.random(random_state=1).apply(moved.positions) + 3.0
    order = np.random.default_rng(0).permutation(len(atoms))
    frames = [
        frame_from_atoms(each, require=(), file="a.xyz", index=0)
        for each in (atoms, moved[order], ethanol(1), copper(0), water(0))
    ]
    same, turned, *others = distance_histograms(frames)
    np.testing.assert_allclose(turned, same, atol=1e-10)
    for other in others:
        assert np.linalg.norm(other - same) > 0.1


def test_histograms_change_continuously() -> None:
    atoms = molecule("H2O")
    points = []
    for shift in (0.0, 1e-6):
        atoms.positions[1, 0] += shift
        points.append(frame_from_atoms(atoms.copy(), require=(), file="a.xyz", index=0))
    first, second = distance_histograms(points)
    assert 0 < np.abs(second - first).max() < 1e-4
