"""Shared types: the graph of a batch of structures and what a model predicts for it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
