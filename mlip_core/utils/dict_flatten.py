"""Nested dictionaries as flat ones, whose keys are paths."""

from flax.traverse_util import flatten_dict, unflatten_dict

__all__ = ["flatten_dict", "unflatten_dict"]
