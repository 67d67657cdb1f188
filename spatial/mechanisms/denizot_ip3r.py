"""IP3 receptors without subunits, and the Ca2+ and IP3 they hold: for processes that have few of either."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from spatial import checks
from spatial.checks import arguments, shaped
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Gains, Species
from spatial.units import molecule, s, uM

STATES = tuple("".join(bits) for bits in product("01", repeat=3))
"""The states ijk of a receptor in the order of `DenizotIP3R.states`: IP3, activating and inhibiting Ca2+ bound."""

OPEN = STATES.index("110")


@dataclass(frozen=True, eq=False)
class DenizotIP3R:
    """Three sites that bind on their own; open with IP3 and activating Ca2+ alone (Denizot 2019, 2022; biophysics A2c).

    `where` is the ER membrane, with receptors per um^2, or points, with receptors at each. What binds is taken
    from the cytosol. An open receptor lets a constant `flux` through, whatever the store holds: an effective,
    buffered flux of 1.9 fA, not the ~0.1 pA of a physical channel (trap C8). With `full`, the flux goes with
    c_ER - c and is `flux` where that is `full`.
    """

    where: Place
    calcium: Species  # cytosol
    store: Species  # ER, or a ledger of what came from it
    ip3: Species  # cytosol
    states: tuple[Species, ...]  # on `where`, receptors in each of STATES [1/um^2, or 1]
    flux: float = 6000 / s * molecule  # [uM um^3/s], 6000 ions/s; Denizot 2019
    a_ip3: float = 41 / (uM * s)  # IP3 binds; Denizot 2019
    b_ip3: float = 400 / s  # IP3 leaves; Denizot 2019
    a_act: float = 1.2 / (uM * s)  # activating Ca2+ binds; Denizot 2019
    b_act: float = 50 / s  # activating Ca2+ leaves; Denizot 2019
    a_inh: float = 0.016 / (uM * s)  # inhibiting Ca2+ binds; Denizot 2019
    b_inh: float = 100 / s  # inhibiting Ca2+ leaves; Denizot 2019
    full: float | None = None  # uM; None: the flux is constant

    def __post_init__(self) -> None:
        checks.parameters(self)
        if self.full is not None:
            checks.positive("DenizotIP3R: full", self.full)
        if len(self.states) != len(STATES):
            raise checks.InputError(f"DenizotIP3R: {len(self.states)} species are given as states; "
                                    f"give one for each of {', '.join(STATES)}")
        checks.own(self, "states")
        checks.beside(self, "ip3", "calcium")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Ca2+ and IP3 [uM um/s on a membrane, uM um^3/s at points], and receptors [per um^2 or point and s]."""
        calcium, receptors = c[self.calcium], np.stack([c[one] for one in self.states])
        released = self.flux * receptors[OPEN]
        if self.full is not None:
            released = released * (c[self.store] - calcium) / self.full
        ip3, activating, inhibiting = self._bindings(receptors.reshape(2, 2, 2, -1), calcium, c[self.ip3])
        changes = np.zeros((2, 2, 2, receptors.shape[1]))
        for bound, sign in ((0, -1), (1, 1)):
            changes[bound] += sign * ip3
            changes[:, bound] += sign * activating
            changes[:, :, bound] += sign * inhibiting
        held = molecule * (activating.sum(axis=(0, 1)) + inhibiting.sum(axis=(0, 1)))
        return {self.calcium: released - held, self.store: -released, self.ip3: -molecule * ip3.sum(axis=(0, 1)),
                **dict(zip(self.states, changes.reshape(len(STATES), -1), strict=True))}

    def _bindings(self, x: Floats, calcium: Floats, ip3: Floats) -> tuple[Floats, Floats, Floats]:
        """Net binding of IP3, activating and inhibiting Ca2+, each (2, 2, n) over the states of the other two sites."""
        return (self.a_ip3 * ip3 * x[0] - self.b_ip3 * x[1],
                self.a_act * calcium * x[:, 0] - self.b_act * x[:, 1],
                self.a_inh * calcium * x[:, :, 0] - self.b_inh * x[:, :, 1])

    @arguments(not_negative=("calcium", "ip3"))
    def rest(self, calcium: float, ip3: float) -> Floats:
        """(8,) steady part of receptors in each of STATES at constant Ca2+ and IP3 [uM]."""
        sites = (self.a_ip3 * ip3, self.b_ip3), (self.a_act * calcium, self.b_act), (self.a_inh * calcium, self.b_inh)
        ip3_site, activating, inhibiting = (np.array([off, on]) / (on + off) for on, off in sites)
        return np.asarray(np.einsum("i,j,k->ijk", ip3_site, activating, inhibiting).ravel())


@arguments(not_negative=("receptors",))
def state_species(where: Place, receptors: Floats) -> tuple[Species, ...]:
    """The species of the eight states, starting from (8,) receptors [1/um^2 on a membrane, 1 at points]."""
    shaped("state_species: receptors", receptors, (len(STATES),), "one for each state")
    return tuple(Species(f"IP3R {name}", where, float(part), unit="1/um^2" if where.dimension == 2 else "1",
                         scale=float(np.sum(receptors)) or None)
                 for name, part in zip(STATES, receptors, strict=True))
