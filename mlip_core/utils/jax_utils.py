"""Small helpers for JAX's trees."""


class TupleLeaf(tuple[object, ...]):
    """A tuple that JAX takes for one leaf of a tree, not for a node with branches."""
