"""Physics checks: what a potential has to hold beside low errors, with any ASE calculator."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
