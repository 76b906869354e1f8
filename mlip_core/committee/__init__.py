"""Several models asked together: their mean, and their spread as a sign of its error."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
