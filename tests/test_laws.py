"""Saturation is the same law everywhere, safe at nothing and far out."""

import warnings

import numpy as np
import pytest

from spatial.geometry.well_mixed import well_mixed
from spatial.laws import hill, inhibition
from spatial.mechanisms.pmca import PMCA
from spatial.mechanisms.serca import SERCA
from spatial.model import Model, Species
from spatial.observe.probes import mean
from spatial.simulate import simulate

X = np.array([0.0, 1e-300, 1e-12, 0.03, 0.1, 5.0, 1e12, 1e300])


@pytest.mark.parametrize("n", [0.5, 1.0, 1.75, 4.0])
@pytest.mark.parametrize("K", [1e-300, 1e-6, 0.1, 1e6])
def test_hill_is_a_part_of_one_everywhere(K, n):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        part = hill(X, K, n)
        rest = inhibition(X, K, n)
    assert part[0] == 0.0
    assert (np.diff(part) >= 0).all()
    assert part[-1] == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(part + rest, 1.0, rtol=1e-12)
    assert hill(K, K, n) == pytest.approx(0.5)


def test_hill_is_the_law_of_the_books():
    x = np.geomspace(1e-3, 1e3, 13)
    np.testing.assert_allclose(hill(x, 0.3, 2.5), x**2.5 / (0.3**2.5 + x**2.5), rtol=1e-13)


@pytest.mark.parametrize("K", [1e-300, 1e-4, 0.1])
def test_pumps_rest_where_there_is_nothing_to_pump(K):
    mesh = well_mixed({"cytosol": 1.0, "er": 0.1, "outside": 1.0},
                      {"er membrane": (2.0, ["cytosol", "er"]), "plasma membrane": (2.0, ["cytosol", "outside"])})
    c, e, gone = Species("c", mesh["cytosol"]), Species("e", mesh["er"], 400.0), Species("gone", mesh["outside"])
    pumps = [SERCA(mesh["er membrane"], c, e, K=K), PMCA(mesh["plasma membrane"], c, gone, K=K)]
    recording = simulate(Model([c, e, gone], pumps), 1.0, [mean(c), mean(e), mean(gone)])
    assert (recording["mean c"][-1], recording["mean e"][-1], recording["mean gone"][-1]) == (0.0, 400.0, 0.0)
