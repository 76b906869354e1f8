"""Batches of a stream of graphs, filled up as the graphs come."""

from collections.abc import Callable, Generator, Iterator

import jraph


def dynamically_batch(
    graphs_tuple_iterator: Iterator[jraph.GraphsTuple],
    n_node: int,
    n_edge: int,
    n_graph: int,
    pad_fn: Callable[[jraph.GraphsTuple], jraph.GraphsTuple] | None = None,
    skip_last_batch: bool = False,
) -> Generator[jraph.GraphsTuple, None, None]:
    """Put consecutive graphs together until the next one does not fit, and pad.

    For a dataset that is known beforehand :class:`GraphDataset` gives fuller batches.

    Args:
        graphs_tuple_iterator: unbatched graphs.
        n_node: nodes of a batch; at least one is padding.
        n_edge: edges of a batch.
        n_graph: graphs of a batch; at least one is padding.
        pad_fn: gives a batch of real graphs its shape, instead of padding with ``jraph``.
        skip_last_batch: leave out the last batch, which may be far from full.

    Yields:
        Padded batches.

    Raises:
        ValueError: if ``n_graph`` is less than 2.
        RuntimeError: if a graph alone does not fit.
    """
    if n_graph < 2:
        raise ValueError("a batch needs room for a graph and a padding graph")
    room = (n_node - 1, n_edge, n_graph - 1)
    gathered: list[jraph.GraphsTuple] = []
    used = (0, 0, 0)

    def batch() -> jraph.GraphsTuple:
        joined = jraph.batch_np(gathered)
        if pad_fn is not None:
            return pad_fn(joined)
        return jraph.pad_with_graphs(joined, n_node, n_edge, n_graph)

    for graph in graphs_tuple_iterator:
        size = (int(graph.n_node.sum()), int(graph.n_edge.sum()), len(graph.n_node))
        if any(more > most for more, most in zip(size, room, strict=True)):
            raise RuntimeError(f"a graph of {size[0]} nodes and {size[1]} edges is too large")
        together = (used[0] + size[0], used[1] + size[1], used[2] + size[2])
        if any(more > most for more, most in zip(together, room, strict=True)):
            yield batch()
            gathered, together = [], size
        gathered.append(graph)
        used = together
    if gathered and not skip_last_batch:
        yield batch()
