"""Linear maps of channels, in the form that is fast."""

from typing import Any

Array = Any


def mix_channels(x: Array, weight: Array) -> Array:
    """``x @ weight`` for ``[..., n_in]`` and ``[n_in, n_out]``, as a product of two matrices.

    If ``x`` had more axes than two in the product, XLA's CPU backend would copy its transpose for
    the derivative by ``weight``.
    """
    return (x.reshape(-1, x.shape[-1]) @ weight).reshape(*x.shape[:-1], weight.shape[1])
