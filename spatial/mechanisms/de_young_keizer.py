"""IP3 receptors with every binding site: De Young & Keizer's eight states, of which Li-Rinzel is the fast limit."""

from dataclasses import dataclass, field
from itertools import product

import numpy as np

from spatial import checks
from spatial.checks import arguments, shaped, sized
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Gains, Species
from spatial.units import s, uM, um

STATES = tuple("".join(bits) for bits in product("01", repeat=3))
"""The states ijk of a subunit in the order of `DeYoungKeizer.states`: IP3, activating and inhibiting Ca2+ bound."""

OPEN = STATES.index("110")


@dataclass(frozen=True, eq=False)
class DeYoungKeizer:
    """De Young & Keizer 1992 on the ER membrane; a channel opens with three subunits in state 110 (biophysics A2b).

    Site 1 binds IP3 without, 3 with inhibiting Ca2+; 2 binds inhibiting Ca2+ with, 4 without IP3; 5 binds
    activating Ca2+. By default d4 follows from detailed balance; the published 0.145 uM breaks it (trap C1).
    """

    where: Place
    calcium: Species = field(metadata=checks.lower_than("store", even_zero=True))  # cytosol
    store: Species  # ER
    ip3: Species  # cytosol
    states: tuple[Species, ...]  # on the ER membrane, part of subunits in each of STATES
    permeability: float = 6 / s * 0.185 * 0.5 * um  # v1 c1 V_cyt/S_ER; STEPS tutorial, PAP-ER
    a1: float = 400 / (uM * s)  # IP3 binds; De Young & Keizer 1992
    a2: float = 0.2 / (uM * s)  # inhibiting Ca2+ binds beside IP3; De Young & Keizer 1992
    a3: float = 400 / (uM * s)  # IP3 binds to an inhibited subunit; De Young & Keizer 1992
    a4: float = 0.2 / (uM * s)  # inhibiting Ca2+ binds without IP3; De Young & Keizer 1992
    a5: float = 20 / (uM * s)  # activating Ca2+ binds; De Young & Keizer 1992
    d1: float = sized(0.13 * uM, beside="ip3")  # b1/a1; De Young & Keizer 1992
    d2: float = 1.05 * uM  # b2/a2; De Young & Keizer 1992 (Li-Rinzel: 1.049)
    d3: float = 0.9434 * uM  # b3/a3; De Young & Keizer 1992
    d4: float | None = None  # b4/a4; None: d1 d2/d3, so that the four bindings around a face agree
    d5: float = sized(82.5e-3 * uM, beside="calcium")  # b5/a5; De Young & Keizer 1992 (Li-Rinzel: 0.08234)

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("d3",))
        if len(self.states) != len(STATES):
            raise checks.InputError(f"DeYoungKeizer: {len(self.states)} species are given as states; "
                                    f"give one for each of {', '.join(STATES)}")
        checks.own(self, "states")
        checks.parts(self, "states")
        checks.beside(self, "ip3", "calcium")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Ca2+ from the store into the cytosol [uM um/s], and the rates of the states [1/s], which add up to 0."""
        calcium, parts = c[self.calcium], np.stack([c[one] for one in self.states])
        flux = self.permeability * parts[OPEN] ** 3 * (c[self.store] - calcium)
        changes = self._changes(parts.reshape(2, 2, 2, -1), calcium, c[self.ip3]).reshape(len(STATES), -1)
        return {self.calcium: flux, self.store: -flux, **dict(zip(self.states, changes, strict=True))}

    def _changes(self, x: Floats, calcium: Floats, ip3: Floats) -> Floats:
        """(2, 2, 2, n) rate of change of the states [IP3, activating, inhibiting]: what one loses another gains."""
        a_ip3, d_ip3 = np.array([[[self.a1], [self.a3]], [[self.d1], [self.d3]]])  # by inhibiting Ca2+
        a_inh, d_inh = np.array([[[[self.a4]], [[self.a2]]], [[[self.balanced_d4]], [[self.d2]]]])  # by IP3
        binding = a_ip3 * (ip3 * x[0] - d_ip3 * x[1])
        activating = self.a5 * (calcium * x[:, 0] - self.d5 * x[:, 1])
        inhibiting = a_inh * (calcium * x[:, :, 0] - d_inh * x[:, :, 1])
        changes = np.zeros_like(x)
        for bound, sign in ((0, -1), (1, 1)):
            changes[bound] += sign * binding
            changes[:, bound] += sign * activating
            changes[:, :, bound] += sign * inhibiting
        return changes

    @property
    def balanced_d4(self) -> float:
        """d4 [uM]: the one given, or d1 d2/d3."""
        return self.d1 * self.d2 / self.d3 if self.d4 is None else self.d4

    @arguments(not_negative=("calcium", "ip3"))
    def rest(self, calcium: float, ip3: float) -> Floats:
        """(8,) steady part of subunits in each of STATES at constant Ca2+ and IP3 [uM]."""
        n = len(STATES)
        linear = self._changes(np.eye(n).reshape(2, 2, 2, n), np.array(calcium), np.array(ip3)).reshape(n, n)
        linear[-1] = 1.0  # the rows add up to 0, so one can say instead that the parts add up to 1
        return np.linalg.solve(linear, np.eye(n)[-1])


@arguments(not_negative=("parts",))
def state_species(where: Place, parts: Floats) -> tuple[Species, ...]:
    """The species of the eight states, starting from (8,) parts of all subunits."""
    shaped("state_species: parts", parts, (len(STATES),), "one for each state")
    return tuple(Species(f"IP3R {name}", where, float(part), scale=1.0, unit="1")
                 for name, part in zip(STATES, parts, strict=True))
