"""Kernels of equivariant networks: irreps, spherical harmonics, couplings, contractions.

Features are component lists or arrays with components outermost and channels last: an irrep of
degree l is ``[2 l + 1, n, channels]``. Conventions (order, sign and normalisation of components)
are those of ``e3nn``; its Clebsch-Gordan coefficients and symmetric bases are read as constants at
trace time.
"""
