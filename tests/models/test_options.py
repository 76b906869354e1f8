import jax
import numpy as np
import pytest
from scipy.special import ndtri

from mlip_core.models.options import NORMALIZATIONS, Activation, parse_activation


@pytest.mark.parametrize("activation", Activation)
def test_normalization_is_the_mean_over_quantiles_of_the_normal_distribution(activation):
    count = 1_000_001
    samples = ndtri(np.arange(1, count + 1) / (count + 1))
    with jax.enable_x64(True):
        values = np.asarray(parse_activation(activation)(jax.numpy.asarray(samples)))
    expected = np.mean(values**2) ** -0.5
    assert NORMALIZATIONS[activation] == pytest.approx(expected, rel=1e-13)
