"""What is said of sizes, reach and starts: units that are wrong where no default tells, and starts of other models."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from test_reading import PLACE, Decay, said_of, species

from spatial._engine.stepping.resting_state import rest
from spatial.checks import InputError, Unusual
from spatial.geometry.grid import grid
from spatial.geometry.place import Mesh, Place
from spatial.geometry.slices import Tree
from spatial.geometry.store import with_store
from spatial.geometry.well_mixed import pool, well_mixed
from spatial.mechanisms.calcium_leak import PlasmaLeak
from spatial.mechanisms.clearance import Conversion, Passage
from spatial.mechanisms.injection import Injection
from spatial.mechanisms.potassium_uptake import PotassiumUptake
from spatial.mechanisms.serca import SERCA
from spatial.model import Model, Species
from spatial.simulate import simulate
from spatial.synapses.plasticity.calcium_rule import SpikeCalcium
from spatial.synapses.postsynaptic import LIF

BRICKS = grid("ecs", (0, 0, 0), (1, 1, 1), 0.5)


@dataclass(frozen=True, eq=False)
class Drain:
    """Takes as much as ever."""

    where: Place
    species: Species
    flux: float = 0.1

    def rates(self, c: Any, t: float) -> Any:
        return {self.species: -self.flux}


def neuron(current: float) -> tuple[LIF, tuple[Species, ...]]:
    cells = pool("neurons", [0.2])
    V, spikes = Species("V", cells, -70.0, unit="mV", signed=True), Species("spikes", cells, unit="1")
    return LIF(cells, V, spikes, current=current), (V, spikes)


@pytest.mark.parametrize(("current", "is_told"), [(180.0, False), (0.0, False), (0.18, True), (180e-12, True)])
def test_a_current_without_a_default_is_compared_with_what_is_usual(current: float, is_told: bool) -> None:
    lif, also = neuron(current)
    assert ("of its usual value 100; is its unit right?" in said_of(lif, also=also)) == is_told


@pytest.mark.parametrize(("rate", "is_told"), [(1000.0, False), (1e6, True)])
def test_no_molecule_is_cleared_a_million_times_per_second(rate: float, is_told: bool) -> None:
    a, gone = species(), species("gone", 0.0)
    said = said_of(Conversion(PLACE, a, gone, rate), also=(a, gone))
    assert ("rate is 1e+06, 1e+06 times its usual value 1" in said) == is_told


@pytest.mark.parametrize(("rate", "until", "is_told"), [(1e-3, 0.6, True), (1e-3, 10.0, False), (1.0, 8e-4, False)])
def test_what_is_slow_and_does_little_in_a_run_is_named(rate: float, until: float, is_told: bool) -> None:
    a, gone = species(), species("gone", 0.0)
    said = said_of(Conversion(PLACE, a, gone, rate), also=(a, gone), until=until)
    assert ("Conversion on 'cell' changes nothing by more than 0.001 of its size" in said) == is_told


@pytest.mark.parametrize(("rate", "is_told"), [(2.0, False), (2000.0, True), (0.029e-3, True)])
def test_a_rate_in_a_volume_is_compared_with_one_in_a_volume(rate: float, is_told: bool) -> None:
    potassium, taken = species("K+", 3000.0), species("taken", 0.0, signed=True)
    said = said_of(PotassiumUptake(PLACE, potassium, taken, rate=rate), also=(potassium, taken))
    assert ("PotassiumUptake: rate is" in said) == is_told


def test_what_begins_at_0_where_it_rests_at_more_is_named() -> None:
    potassium, taken = species("K+", 0.0), species("taken", 0.0, signed=True)
    said = said_of(PotassiumUptake(PLACE, potassium, taken, rate=2.0), also=(potassium, taken))
    assert "'K+' in 'cell' begins at 0, where rest of PotassiumUptake, is 3082; is its first value missing?" in said


@pytest.mark.parametrize(("D", "initial", "is_told"), [(13.0, 70e3, True), (13.0, 1e3, False), (1960.0, 100e3, False)])
def test_there_is_no_room_for_so_many_large_molecules(D: float, initial: float, is_told: bool) -> None:
    protein, gone = Species("protein", BRICKS, initial, D=D), Species("gone", BRICKS)
    assert ("of which there is no room for" in said_of(Conversion(BRICKS, protein, gone, 1.0), also=(protein, gone))
            ) == is_told


@pytest.mark.parametrize(("D", "is_told"), [(1960.0, False), (1.96e-3, True)])
def test_what_never_leaves_an_element_in_a_run_is_named(D: float, is_told: bool) -> None:
    moving, gone = Species("K+", BRICKS, 1.0, D=D), Species("gone", BRICKS)
    said = said_of(Conversion(BRICKS, moving, gone, 1.0), also=(moving, gone))
    assert ("'K+' hardly diffuses in this run" in said) == is_told


@pytest.mark.parametrize("initial", [0.0, 0.1])
def test_what_a_point_lets_out_and_cannot_diffuse_is_named_wherever_it_begins(initial: float) -> None:
    tissue = Mesh.of(BRICKS).with_points("pipette", [(0.3, 0.3, 0.3)], touching=["ecs"])
    stuck = Species("stuck", tissue["ecs"], initial)
    assert "'stuck' does not diffuse in 'ecs'" in said_of(Injection(tissue["pipette"], stuck, 1.0), also=(stuck,))


def test_what_a_point_takes_need_not_diffuse() -> None:
    tissue = Mesh.of(BRICKS).with_points("pipette", [(0.3, 0.3, 0.3)], touching=["ecs"])
    taken, gone = Species("taken", tissue["ecs"], 0.1), Species("gone", tissue["pipette"])
    assert "does not diffuse" not in said_of(Conversion(tissue["pipette"], taken, gone, 0.1), also=(taken, gone))


def test_a_ledger_that_is_read_as_a_concentration_is_named() -> None:
    a, ledger = species(), species("ledger", 0.0, signed=True)
    assert "ledger" not in said_of(Conversion(PLACE, a, ledger, 1.0), also=(a, ledger))
    said = said_of(Conversion(PLACE, ledger, a, 1.0), also=(a, ledger))
    assert "Conversion on 'cell' reads 'ledger', a ledger, as a concentration" in said


def test_what_takes_without_reading_how_much_there_is_is_named() -> None:
    a, ledger = species(), species("ledger", 0.0, signed=True)
    said = said_of(Drain(PLACE, a, 12.0), Injection(PLACE, a, 12.0), also=(a,))
    assert "Drain on 'cell' takes from 'a' without reading how much there is" in said
    assert said_of(Drain(PLACE, a), also=(a,)) == ""
    assert said_of(Decay(PLACE, a), also=(a,)) == ""
    assert said_of(PlasmaLeak(PLACE, a, ledger, influx=0.05), also=(a, ledger)) == ""
    swapped = said_of(PlasmaLeak(PLACE, ledger, a, influx=0.05), Injection(PLACE, a, 0.05), also=(a, ledger), until=30)
    assert "PlasmaLeak on 'cell' takes from 'a' without reading" in swapped


def test_a_start_that_is_the_rest_of_a_model_without_a_mechanism_is_named() -> None:
    a, b = species("a", 1.0), species("b", 3.0)
    there, back = Conversion(PLACE, a, b, 1.0), Passage(PLACE, a, b, permeability=0.3)
    model, pulse = Model([a, b], [there, back]), Injection(PLACE, a, 1.0, start=0.01)
    state = rest(model.without(Conversion))
    said = said_of(there, back, also=(a, b), start=state)
    assert "starts from the rest of a model without Conversion, which moves 'a' at once" in said
    assert said_of(there, back, also=(a, b), start=rest(model)) == ""
    assert said_of(there, back, pulse, also=(a, b), start=rest(model)) == ""


def test_a_tree_wider_than_it_is_long_is_in_another_unit() -> None:
    nodes, parents = np.array([(0.0, 0, 0), (4.0, 0, 0)]), np.array([-1, 0])
    with pytest.warns(Unusual, match=r"tree: its radii are 100 um and more, beyond its whole length, 4 um"):
        Tree(nodes, parents, np.array([100.0, 100.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Tree(nodes, parents, np.array([0.1, 5.0]))


def test_a_membrane_of_few_square_nanometres_is_named() -> None:
    a = Species("a", Place("patch", 2, np.array([5e-6]), np.zeros((1, 3))), 1.0)
    with pytest.warns(Warning, match="'patch' has 5e-06 um\\^2 in all; is its area in um\\^2\\?"):
        simulate(Model([a], [Decay(a.place, a)]), 0.1)


@pytest.mark.parametrize(("flux", "is_told"), [(1e-3, True), (1.0, False)])
def test_a_source_of_less_than_a_molecule_is_named(flux: float, is_told: bool) -> None:
    tissue = Mesh.of(BRICKS).with_points("pipette", [(0.3, 0.3, 0.3)], touching=["ecs"])
    a = Species("a", tissue["ecs"], D=100.0)
    assert ("lets out 0.06 molecules of 'a' at most" in said_of(Injection(tissue["pipette"], a, flux), also=(a,))
            ) == is_told


def test_trains_that_a_delay_shifts_are_seen_to_be_late() -> None:
    synapses = pool("synapses", [1.0, 1.0])
    calcium = Species("Ca2+", synapses)
    late, early = np.array([5000.0, 5100.0]), np.array([0.05])
    rule = SpikeCalcium(synapses, (early, late), early, calcium)
    assert "of the 2 times in its trains[1] none after t = 0 is in the run, the next is 5000 s" in (
        said_of(rule, also=(calcium,), until=1.0))


def test_a_store_on_a_membrane_and_an_empty_one_are_named() -> None:
    mesh = well_mixed({"cytosol": 1.0, "er": 0.1}, {"er membrane": (2.0, ("cytosol", "er"))})
    calcium, store = Species("Ca2+", mesh["cytosol"], 0.1), Species("store", mesh["er"], 0.0)
    on_membrane = Species("store", mesh["er membrane"], 10.0)
    said = said_of(SERCA(mesh["er membrane"], calcium, on_membrane), also=(calcium, on_membrane))
    assert "SERCA: 'store', its store, is on 'er membrane', a membrane; is it meant to be in the volume" in said
    empty = said_of(SERCA(mesh["er membrane"], calcium, store), also=(calcium, store))
    assert "'Ca2+', calcium of SERCA, begins at 0.1, above 'store', its store, at 0" in empty


def test_a_store_larger_than_its_cell_is_refused() -> None:
    with pytest.raises(InputError, match=r"with_store: volume_ratio is 18.5; it is a part of the whole, at most 1"):
        with_store(Mesh.of(grid("cytosol", (0, 0, 0), (1, 1, 1), 0.5)), volume_ratio=18.5)


@pytest.mark.parametrize(("flux", "is_told"), [(3e6, True), (3.0, False)])
def test_what_rises_far_above_its_own_scale_is_named(flux: float, is_told: bool) -> None:
    a = Species("a", BRICKS, D=100.0, scale=10.0)
    assert ("times its scale, 10; is what makes it in the right unit" in said_of(Injection(BRICKS, a, flux), also=(a,))
            ) == is_told
