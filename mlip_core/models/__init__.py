"""Networks, the predictor that turns node energies into forces and stress, and the model zip."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
