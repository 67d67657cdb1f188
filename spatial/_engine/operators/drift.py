"""Drift of ions in a potential, as what exponentially fitted fluxes carry beyond diffusion.

Through a link from i to j flows (Scharfetter & Gummel 1969)

    D T (B(x) c_i - B(-x) c_j),    B(x) = x / (e^x - 1),    x = z (phi_j - phi_i) F / RT,

which is exact where flux and field are constant along the link, positive where T is, and zero where c follows
Boltzmann's distribution. B(x) = 1 - x/2 + s(x) with s even: what is beyond diffusion is

    D T (s(x) (c_i - c_j) - x (c_i + c_j) / 2),

zero to the last digit where the potential is even. What leaves one element arrives in the other.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from spatial.geometry.place import Floats, Ints, Place

_SMALL = 0.25  # x below which series are more exact than the formulas, which subtract equals


@dataclass(frozen=True, eq=False)
class Drift:
    """The m links through which ions drift: those of each species of ions in each place, as flat arrays."""

    ends: Ints  # (m, 2) positions in the state of the concentrations that each link joins
    nodes: Ints  # (m, 2) positions of the potentials there
    conducting: Floats  # (m,) D T [um^3/s]
    steepness: Floats  # (m,) z F/RT [1/mV]
    volume: Floats  # (m, 2) um^3 at both ends

    def rate(self, u: Floats, phi: Floats) -> Floats:
        """(size,) what drift makes of du/dt, in the potentials phi (n,) [mV]."""
        here, there, x = *u[self.ends.T], self._across(phi)
        flux = self.conducting * (even_part(x) * (here - there) - x * (here + there) / 2)
        return np.asarray(np.bincount(self.ends.ravel(), (flux[:, None] * [-1, 1] / self.volume).ravel(), len(u)))

    def slopes(self, u: Floats, phi: Floats) -> csr_matrix:
        """(size, size + n) the derivative of `rate` by u and phi."""
        here, there, x = *u[self.ends.T], self._across(phi)
        by_x = self.conducting * self.steepness * (even_slope(x) * (here - there) - (here + there) / 2)
        by = np.stack([self.conducting * (even_part(x) - x / 2), self.conducting * (-even_part(x) - x / 2),
                       -by_x, by_x], axis=1)
        columns = np.concatenate([self.ends, len(u) + self.nodes], axis=1)
        entries = by[:, None, :] * np.array([-1, 1])[:, None] / self.volume[:, :, None]
        where = (np.repeat(self.ends.ravel(), 4), np.repeat(columns[:, None, :], 2, axis=1).ravel())
        return csr_matrix((entries.ravel(), where), shape=(len(u), len(u) + len(phi)))

    def _across(self, phi: Floats) -> Floats:
        """(m,) x of each link."""
        i, j = self.nodes.T
        return np.asarray(self.steepness * (phi[j] - phi[i]))


def drift(place: Place, index: Ints, first: int, D: float, steepness: float) -> Drift:
    """One species of ions: `index` (n,) tells where it is in the state, `first` where its place's potentials begin."""
    links = place.links if D > 0 else place.links[:0]
    return Drift(index[links], first + links, D * place.transmissibility[:len(links)],
                 np.full(len(links), steepness), place.measure[links])


def together(*drifts: Drift) -> Drift:
    """Several species of ions as one."""
    return Drift(*(np.concatenate([getattr(one, name) for one in drifts])
                   for name in ("ends", "nodes", "conducting", "steepness", "volume")))


def even_part(x: Floats) -> Floats:
    """(x/2) coth(x/2) - 1: Bernoulli's function B(x) = x / (e^x - 1), less its odd part 1 - x/2."""
    safe, q = np.where(np.abs(x) < _SMALL, 1.0, x), x * x
    series = q / 12 * (1 - q / 60 * (1 - q / 42 * (1 - q / 40 * (1 - q * (10 / 396)))))
    return np.where(np.abs(x) < _SMALL, series, safe / 2 / np.tanh(safe / 2) - 1)


def even_slope(x: Floats) -> Floats:
    """The derivative of `even_part`."""
    half, q = np.where(np.abs(x) < _SMALL, 1.0, x) / 2, x * x
    series = x / 6 * (1 - q / 30 * (1 - q / 28 * (1 - q / 30 * (1 - q * (50 / 1584)))))
    with np.errstate(over="ignore"):
        return np.where(np.abs(x) < _SMALL, series, (1 / np.tanh(half) - half / np.sinh(half) ** 2) / 2)
