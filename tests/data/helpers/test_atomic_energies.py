import logging
from typing import Any

import numpy as np
import pytest

from mlip_core.data.helpers.atomic_energies import (
    compute_average_e0s_from_graphs,
    fit_atomic_energies,
    fit_in_chunks,
    parse_atomic_energies,
    require_elements,
)
from mlip_core.utils.errors import UserError
from tests.data.structures import copper, ethanol, graph_of, water


def test_exact_energies_are_recovered_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    counts = np.array([[2, 1, 0], [0, 2, 1], [1, 1, 1], [4, 0, 2]])
    energies = np.array([-13.6, -2041.9, -1029.3])
    with caplog.at_level(logging.WARNING):
        fitted = fit_atomic_energies(counts, counts @ energies, "HOC")
    np.testing.assert_allclose(fitted, energies, rtol=1e-12)
    assert not caplog.records


def test_single_composition_is_solved_with_minimum_norm_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counts = np.array([[6, 2, 1]] * 3)
    with caplog.at_level(logging.WARNING):
        fitted = fit_atomic_energies(counts, np.array([-81.0, -82.0, -83.0]), "HCO")
    np.testing.assert_allclose(fitted, -82.0 * np.array([6, 2, 1]) / 41, rtol=1e-12)
    assert "rank 1 for 3 elements (H, C, O)" in caplog.text


def test_every_structure_has_the_same_weight() -> None:
    counts = np.array([[1], [1], [1], [2]])
    energies = np.array([1.0, 2.0, 3.0, 4.0])
    expected = (1 + 2 + 3 + 2 * 4) / (1 + 1 + 1 + 4)
    np.testing.assert_allclose(fit_atomic_energies(counts, energies, "H"), [expected], rtol=1e-14)


def test_order_of_structures_does_not_change_a_digit() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 4, (200, 3))
    energies = rng.normal(-1e4, 1, 200)
    order = rng.permutation(200)
    one = fit_atomic_energies(counts, energies, "abc")
    assert np.array_equal(one, fit_atomic_energies(counts[order], energies[order], "abc"))


def test_from_graphs_by_species() -> None:
    graphs = [
        graph_of(atoms, energy=float([-1.0, -10.0, -20.0, -50.0] @ np.bincount(s, minlength=4)))
        for atoms in (ethanol(0), water(0), water(0)[[0]], copper(0))
        for s in [graph_of(atoms).nodes.species]
    ]
    energies = compute_average_e0s_from_graphs([*graphs, graph_of(water(1))])
    assert list(energies) == [0, 1, 2, 3]
    np.testing.assert_allclose(list(energies.values()), [-1.0, -10.0, -20.0, -50.0], rtol=1e-11)


def test_only_species_that_occur(caplog: pytest.LogCaptureFixture) -> None:
    energies = compute_average_e0s_from_graphs([graph_of(copper(0), energy=-8.0)])
    assert energies == {3: pytest.approx(-1.0)}
    assert not caplog.records
    assert compute_average_e0s_from_graphs([graph_of(copper(0))]) == {}


def test_symbols_and_atomic_numbers() -> None:
    assert parse_atomic_energies({"O": -3, "1": -1, 6: -2.5}) == {1: -1.0, 6: -2.5, 8: -3.0}


@pytest.mark.parametrize(
    ("energies", "message"),
    [
        ({"Sl": 1.0}, 'unknown element "Sl"; did you mean "S'),
        ({"si": 1.0}, 'unknown element "si"; did you mean "Si"'),
        ({"Hydrogen": 1.0}, "unknown element"),
        ({"X": 1.0}, "unknown element"),
        ({0: 1.0}, "unknown element"),
        ({300: 1.0}, "unknown element"),
        ({"H": 1.0, 1: 2.0}, "H is given twice"),
        ({"H": float("nan")}, "not finite"),
    ],
)
def test_mistakes_in_given_energies(energies: dict[Any, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_atomic_energies(energies)


def test_all_elements_need_an_energy() -> None:
    assert require_elements({1: -1.0, 8: -2.0, 6: -3.0}, [8, 1]) == {1: -1.0, 8: -2.0}
    with pytest.raises(UserError, match="no energy for C, O"):
        require_elements({1: -1.0}, [8, 1, 6])


def test_chunks_do_not_change_a_digit() -> None:
    rng = np.random.default_rng(1)
    counts, energies = rng.integers(0, 60, (300, 4)), rng.normal(-1e5, 1e3, 300)
    whole = fit_atomic_energies(counts, energies, "abcd")
    for size in (1, 7, 100):
        starts = range(0, 300, size)
        pieces = [(counts[i : i + size], energies[i : i + size]) for i in starts]
        assert np.array_equal(whole, fit_in_chunks(lambda pieces=pieces: pieces, "abcd"))


def test_nearly_dependent_compositions_lose_no_digits() -> None:
    """One hydrogen more or less tells carbon from hydrogen, in structures of hundreds of atoms."""
    counts = np.array([[200 + i % 2, 100, 50 + i % 3] for i in range(1000)])
    energies = np.array([-13.6, -1029.3, -2041.9])
    fitted = fit_atomic_energies(counts, counts @ energies, "HCO")
    np.testing.assert_allclose(fitted, energies, rtol=1e-8)
    np.testing.assert_allclose(counts @ fitted, counts @ energies, rtol=1e-14)
