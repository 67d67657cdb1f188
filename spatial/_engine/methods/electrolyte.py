"""Which species of a model are ions, which membranes hold charge, and what that says about potentials and charges."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags_array
from scipy.sparse.csgraph import connected_components

from spatial import checks
from spatial._engine.system.layout import Layout
from spatial._engine.system.right_hand_side import System
from spatial.checks import InputError
from spatial.geometry.contact import check_contact
from spatial.geometry.place import Floats, Ints, Place
from spatial.model import Gains, Mechanism, Species
from spatial.units import ion_flux, thermal_voltage

_CARRIES = ion_flux(1.0, 1)  # uM um^3 of elementary charges in 1 pA s
_UNBALANCED = 1e-6  # of a current: more than differences of rounding
_STILL = 1e-9  # 1/s, of all ions: so little charge made is rounding


@dataclass(frozen=True, eq=False)
class Capacitor:
    """A membrane that holds charge: `potential` is V [mV], on a place whose measure is capacitance [pA s/mV].

    Where several elements of the membrane touch one of that place, V is their mean difference, by area.
    """

    potential: Species
    membrane: Place
    inside: str
    outside: str


@dataclass(frozen=True, eq=False)
class Electrolyte:
    """The ions of a model: their valences, the membranes that hold charge, and the temperature [K].

    V of a capacitor follows from the ions alone: axial conductances of its place have no part in it, and a current
    across it that no ion of the model carries is an error, as is what makes charge.
    """

    valences: Mapping[Species, float]  # whole numbers; 0 drifts with nothing
    capacitors: tuple[Capacitor, ...] = ()
    temperature: float = 310.0  # choice: the body's

    def __post_init__(self) -> None:
        checks.kinds(self)
        checks.positive("electrolyte: temperature [K]", self.temperature)
        checks.kelvin("electrolyte: temperature", self.temperature)
        for ion, valence in self.valences.items():
            checks.valence(f"the valence of {ion!r}", valence, may_be_zero=True)
            if ion.place.dimension != 3:
                raise InputError(f"{ion!r} is an ion on {ion.place!r}; ions that drift live in a volume")

    @property
    def thermal(self) -> float:
        """RT/F [mV]."""
        return thermal_voltage(self.temperature)


@dataclass(frozen=True, eq=False)
class Field:
    """The potentials phi (n,) of all control volumes with ions, place after place, and what they are bound by."""

    of: Mapping[str, slice]  # of each place
    charge: csr_matrix  # (n, size) free charge [uM] of each element: of its ions, less what membranes hold
    volume: Floats  # (n,) um^3
    across: csr_matrix  # (size, n) V of each capacitor from phi, in the rows of its species
    free: Floats  # (size,) 0 in those rows, 1 elsewhere
    part: Ints  # (n,) the connected part that each element belongs to: phi is known but for a constant in each
    pinned: Floats  # (n,) 1 at one element of each part, where phi = 0

    @property
    def size(self) -> int:
        """The number of potentials."""
        return len(self.part)

    @property
    def bound(self) -> csr_matrix:
        """`charge`, but for the rows of pinned elements: those follow from the rest."""
        return csr_matrix(diags_array(1 - self.pinned) @ self.charge)


def field(system: System, electrolyte: Electrolyte) -> Field:
    """The potentials of the places with ions, and what binds them.

    Raises `InputError` for an ion or a potential that is not in the model, a membrane that does not touch what it
    should, and a current across it that no ion carries.
    """
    _check_names(system, electrolyte)
    found = _bind(system, electrolyte)
    for term in system.terms:
        _check_current(term.mechanism, term.first, electrolyte)
    return found


def _check_names(system: System, electrolyte: Electrolyte) -> None:
    if not any(electrolyte.valences.values()):
        raise InputError("the electrolyte has no ion; give the valence of each species that is one")
    for one in (*electrolyte.valences, *(each.potential for each in electrolyte.capacitors)):
        if one not in system.layout.columns:
            raise InputError(f"the electrolyte names {one!r}, which is not a species of this model")
    places = {ion.place.name for ion in electrolyte.valences}
    for each in electrolyte.capacitors:
        check_contact("the capacitor", each.membrane, repr(each.potential), each.potential.place)
        for side in (each.inside, each.outside):
            if side not in places:
                raise InputError(f"{each.membrane.name!r} parts {side!r} from another place, but no ion is in it")
            check_contact("the capacitor", each.membrane, repr(side), _place(system, side))
        for mechanism in system.model.mechanisms:
            if mechanism.where.name == each.membrane.name:
                check_contact("the capacitor", each.membrane, type(mechanism).__name__, mechanism.where)


def _check_current(mechanism: Mechanism, gains: Gains, electrolyte: Electrolyte) -> None:
    """Raise `InputError` where a mechanism changes V by another current than its ions bring inside."""
    for each in electrolyte.capacitors:
        if each.potential not in gains:
            continue
        inside = {other.inside for other in electrolyte.capacitors if other.potential is each.potential}
        brought = sum(valence * np.asarray(gains[ion], float) for ion, valence in electrolyte.valences.items()
                      if ion in gains and ion.place.name in inside)
        charged = _CARRIES * np.asarray(gains[each.potential], float)
        if (np.abs(charged - brought) > _UNBALANCED * (np.abs(charged) + np.abs(brought))).any():
            raise InputError(f"{type(mechanism).__name__} changes {each.potential!r} by a current that is not that of "
                             f"the ions it brings into {each.inside!r}; let each be carried by an ion of the model")


def check_event(field: Field, before: Floats, after: Floats, t: float, names: str) -> None:
    """Raise `InputError` for an event that leaves a control volume with another charge than before."""
    change = after - before
    if (np.abs(field.charge @ change) > _UNBALANCED * (abs(field.charge) @ np.abs(change))).any():
        raise InputError(f"{names} leaves charge behind at t = {t:g} s; let as much leave each control volume as "
                         "enters, or flow across a membrane with its potential")


def check_balance(field: Field, u: Floats, t: float, f: Floats) -> None:
    """Raise `InputError` where du/dt = `f` makes charge, so that no potential can keep the ions neutral."""
    ions = abs(field.charge)
    made = np.bincount(field.part, field.volume * (field.charge @ (field.free * f)))
    moved = np.bincount(field.part, field.volume * (ions @ (field.free * np.abs(f))))
    there = np.bincount(field.part, field.volume * (ions @ (field.free * np.abs(u))))
    wrong = np.flatnonzero(np.abs(made) > _UNBALANCED * moved + _STILL * there)
    if len(wrong):
        names = [name for name, of in field.of.items() if (field.part[of] == wrong[0]).any()]
        raise InputError(f"the mechanisms make {made[wrong[0]]:.3g} uM um^3 of charge per second in "
                         f"{' and '.join(map(repr, names))} at t = {t:g} s; let as much charge leave as enters")


def _bind(system: System, electrolyte: Electrolyte) -> Field:
    """The field of an electrolyte that has been checked."""
    layout, starts, n = system.layout, dict[str, int](), 0
    for ion in electrolyte.valences:
        if ion.place.name not in starts:
            starts[ion.place.name] = n
            n += len(ion.place)
    volume = np.concatenate([_place(system, name).measure for name in starts])
    across, capacitance, free = csr_matrix((layout.size, n)), np.zeros(layout.size), np.ones(layout.size)
    for each in electrolyte.capacitors:
        rows = layout.index(each.potential)
        across = csr_matrix(across + _difference(each, layout, starts, n, _area(each, electrolyte)))
        capacitance[rows], free[rows] = each.potential.place.measure, 0.0
    held = diags_array(_CARRIES / volume) @ across.T @ diags_array(capacitance)
    part = _parts(electrolyte, starts, across)
    pinned = np.zeros(n)
    pinned[np.unique(part, return_index=True)[1]] = 1.0
    charge = csr_matrix(_of_ions(electrolyte, layout, starts, n) - held)
    of = {name: slice(start, start + len(_place(system, name))) for name, start in starts.items()}
    return Field(of, charge, volume, across, free, part, pinned)


def _of_ions(electrolyte: Electrolyte, layout: Layout, starts: Mapping[str, int], n: int) -> csr_matrix:
    """(n, size) the charge of the ions in each element [uM], from their concentrations."""
    ions = electrolyte.valences
    rows = np.concatenate([starts[ion.place.name] + np.arange(len(ion.place)) for ion in ions])
    columns = np.concatenate([layout.index(ion) for ion in ions])
    entries = np.concatenate([np.full(len(ion.place), float(valence)) for ion, valence in ions.items()])
    return csr_matrix((entries, (rows, columns)), shape=(n, layout.size))


def _area(capacitor: Capacitor, electrolyte: Electrolyte) -> Floats:
    """(n,) the area [um^2] over which each V of this potential is a mean."""
    V, area = capacitor.potential.place, np.zeros(len(capacitor.potential.place))
    for each in electrolyte.capacitors:
        if each.potential is capacitor.potential:
            area += np.bincount(each.membrane.touches[V.name], each.membrane.measure, len(V))
    if not area.all():
        raise InputError(f"{capacitor.potential!r} has an element that {capacitor.membrane.name!r} does not touch")
    return area


def _difference(each: Capacitor, layout: Layout, starts: Mapping[str, int], n: int, area: Floats) -> csr_matrix:
    """(size, n) the part of each V that one membrane makes: potential inside less outside, by area."""
    touches, onto = each.membrane.touches, each.membrane.touches[each.potential.place.name]
    rows, share = layout.index(each.potential)[onto], each.membrane.measure / area[onto]
    inside, outside = starts[each.inside] + touches[each.inside], starts[each.outside] + touches[each.outside]
    return csr_matrix((np.r_[share, -share], (np.r_[rows, rows], np.r_[inside, outside])), shape=(layout.size, n))


def _parts(electrolyte: Electrolyte, starts: Mapping[str, int], across: csr_matrix) -> Ints:
    """(n,) number of the part that ions and membranes connect each element to."""
    size, n = across.shape
    first, second = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for ion in electrolyte.valences:
        if ion.D > 0:
            first.append(starts[ion.place.name] + ion.place.links[:, 0])
            second.append(starts[ion.place.name] + ion.place.links[:, 1])
    by_membrane = across.tocoo()
    i, j = np.concatenate([*first, n + by_membrane.row]), np.concatenate([*second, by_membrane.col])
    graph = csr_matrix((np.ones(len(i)), (i, j)), shape=(n + size,) * 2)
    return np.unique(connected_components(graph, directed=False)[1][:n], return_inverse=True)[1]


def _place(system: System, name: str) -> Place:
    return system.layout.places[name][0].place
