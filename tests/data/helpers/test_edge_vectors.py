import jax
import numpy as np

from mlip_core.data.helpers.edge_vectors import get_edge_relative_vectors, get_edge_vectors

# Rows are cell vectors; made by hand so that every term of shift @ cell is different.
CELL = np.array([[4.0, 0.0, 0.0], [1.0, 5.0, 0.0], [0.5, -2.0, 6.0]])
POSITIONS = np.array([[0.1, 0.2, 0.3], [3.0, 4.0, 5.0]])


def test_vector_goes_from_sender_to_shifted_receiver() -> None:
    vectors = get_edge_relative_vectors(
        POSITIONS,
        senders=np.array([0, 1, 0]),
        receivers=np.array([1, 0, 0]),
        shifts=np.array([[0, 0, 0], [1, 0, 0], [2, -1, 1]]),
        cell=CELL[None],
        n_edge=np.array([3]),
        use_np=True,
    )
    expected = [[2.9, 3.8, 4.7], [-2.9 + 4.0, -3.8, -4.7], [8.0 - 1.0 + 0.5, -5.0 - 2.0, 6.0]]
    np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-14)


def test_each_graph_has_its_own_cell() -> None:
    vectors = get_edge_relative_vectors(
        np.zeros((2, 3)),
        senders=np.array([0, 1, 1]),
        receivers=np.array([0, 1, 1]),
        shifts=np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0]]),
        cell=np.stack([CELL, 10 * CELL]),
        n_edge=np.array([1, 2]),
        use_np=True,
    )
    np.testing.assert_array_equal(vectors, [[4, 0, 0], [40, 0, 0], [10, 50, 0]])


def test_without_cell() -> None:
    vectors = get_edge_relative_vectors(
        POSITIONS, np.array([0]), np.array([1]), np.zeros((1, 3)), None, np.array([1]), use_np=True
    )
    np.testing.assert_allclose(vectors, [[2.9, 3.8, 4.7]], atol=1e-14)


def test_ends_differ_by_the_vector() -> None:
    arguments = (POSITIONS, np.array([0, 1]), np.array([1, 0]), np.array([[1, 0, 2], [0, 1, 0]]))
    starts, ends = get_edge_vectors(*arguments, CELL, np.array([2]), use_np=True)
    vectors = get_edge_relative_vectors(*arguments, CELL, np.array([2]), use_np=True)
    np.testing.assert_array_equal(ends - starts, vectors)


def test_jax_under_jit_agrees_with_numpy() -> None:
    rng = np.random.default_rng(0)
    positions = rng.normal(size=(6, 3)).astype(np.float32)
    senders, receivers = rng.integers(0, 6, (2, 10))
    shifts = rng.integers(-2, 3, (10, 3)).astype(np.float32)
    cells = rng.normal(size=(3, 3, 3)).astype(np.float32)
    arguments = (positions, senders, receivers, shifts, cells, np.array([4, 0, 6]))
    np.testing.assert_allclose(
        jax.jit(get_edge_relative_vectors)(*arguments),
        get_edge_relative_vectors(*arguments, use_np=True),
        rtol=1e-5,
        atol=1e-5,
    )
