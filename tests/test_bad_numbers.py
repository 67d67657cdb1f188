"""Every public class refuses in one sentence what is no value of a field.

The classes are found by walking the package, and each must have an example here, made by the kinds of its fields or
given in `EXAMPLES`. Each field in turn is given nan, inf, -1, 0, a text, an array of a wrong shape and None: the answer
is an `InputError`, or the value has a meaning that the annotation says, or `MEANT` below.
"""

import importlib
import inspect
import pkgutil
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
import pytest
from numpy.typing import ArrayLike

import spatial
from spatial._engine.methods.electrolyte import Electrolyte
from spatial._engine.methods.tolerance import Tolerance
from spatial.analysis.quasi_static import QuasiStatic
from spatial.checks import InputError
from spatial.geometry.place import Mesh, Place
from spatial.geometry.shapes import ball
from spatial.geometry.slices import Tree
from spatial.geometry.tetrahedra import Tetrahedra
from spatial.geometry.voxels import Labels
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.drawn_exocytosis import Waits
from spatial.mechanisms.indicator import Indicator
from spatial.mechanisms.ip3r_channels import Scheme, denizot
from spatial.mechanisms.stimulus import Pulse, Stimulus
from spatial.mechanisms.uptake import ASCT, Carrier
from spatial.model import Held, Mechanism, Model, Species
from spatial.observe.frames import Film, Frames, Highest
from spatial.observe.recording import Recording, Series
from spatial.output.drawn import Drawn
from spatial.synapses.glutamate_receptors import NMDA, Receptor
from spatial.synapses.network import Partner
from spatial.synapses.plasticity.gates import CoagonistGate, Gate
from spatial.synapses.population import Population, Release
from spatial.synapses.release import A1Inhibition, ReleaseProbability, TsodyksMarkram
from spatial.synapses.synaptic_current import SynapticCurrent
from spatial.synapses.vesicles import Draws, draw

BAD = {"nan": np.nan, "inf": np.inf, "-1": -1.0, "0": 0.0, "text": "1 uM", "wrong shape": np.ones((2, 3)), "None": None}

MADE_AT_EACH_STEP = {"View", "ChannelPath", "Reaction", "AtTimes", "OnRise", "EachStep", "Channels", "BrianNetwork",
                     "Sized"}
"""Made while a run goes on, by the engine or as what a mechanism returns: looked at by those who ask, who name the
mechanism. (`BrianNetwork` needs Brian2, and asks its groups for what they have; `Sized` stands beside a default
in the code.)"""

PLACE = pool("cytosol", [1.0])
C = Species("c", PLACE, signed=True)
V = Species("V", PLACE, -70.0, signed=True, unit="mV")


def release() -> TsodyksMarkram:
    return TsodyksMarkram(PLACE, (np.zeros(0),), C, A1Inhibition(1.0), *(Species(name, PLACE) for name in "uxr"))


EXAMPLES: Mapping[Any, Callable[[], Any]] = {
    Place: lambda: PLACE,
    Species: lambda: C,
    Held: lambda: 1.0,
    tuple[Species, ...]: lambda: tuple(Species(f"s{k}", PLACE) for k in range(8)),
    Mesh: lambda: Mesh.of(PLACE),
    Pulse: lambda: Pulse(PLACE, species=C, flux=1.0, starts=[0.1, 0.5], duration=0.1),
    Stimulus: lambda: Stimulus(PLACE, species=C, times=[0.1, 0.5], flux=[0.0, 1.0]),
    Model: lambda: Model([C]),
    Tetrahedra: lambda: ball(0.5, 0.4),
    Drawn: lambda: Drawn(np.zeros((1, 3)), np.zeros(1, int), ((1, np.zeros((1, 1), int)),)),
    Labels: lambda: Labels(np.zeros((2, 2, 2), int), (0.1, 0.1, 0.1)),
    Tree: lambda: Tree(np.array([[0.0, 0, 0], [1, 0, 0]]), np.array([-1, 0]), np.ones(2)),
    Recording: lambda: Recording(np.zeros(1), {}, {}),
    Series: lambda: Series("uM", np.ones((1, 1))),
    Frames: lambda: SimpleNamespace(write=print),
    Film: lambda: Film(C),
    Highest: lambda: Highest(C),
    Mechanism: lambda: Conversion(PLACE, C, C, 1.0),
    Electrolyte: lambda: Electrolyte({C: 1}),
    Scheme: denizot,
    Carrier: lambda: ASCT,
    Indicator: lambda: Indicator("dye", 1.0, 1.0, 1.0, 1.0, 0.1),
    Receptor: lambda: NMDA,
    np.random.Generator: lambda: np.random.default_rng(0),
    ArrayLike: lambda: 1.0,
    Path: lambda: Path("folder"),
    Mapping[str, Species]: lambda: NMDA.species(PLACE),
    Gate: lambda: CoagonistGate(1.0),
    ReleaseProbability: lambda: A1Inhibition(1.0),
    Release: release,
    Population: lambda: Population(release(), (), 0.1, 1.0),
    Partner: lambda: SimpleNamespace(run=dict),
    Waits: lambda: Waits(np.ones((1, 2))),
    Draws: lambda: draw((np.zeros(0),), 4, np.random.default_rng(0)),
    SynapticCurrent: lambda: SynapticCurrent(PLACE, C, 0.0, 0.0),
    QuasiStatic: lambda: QuasiStatic(Model([C, Species("d", PLACE)]), (C,)),
}

RESULTS = {
    "Band", "Block", "Changes", "Course", "CutPlane", "Cuts", "Draws", "Event", "Events", "Experiment", "Fit",
    "Group", "Heard", "Heterosynaptic", "Locality", "Measured", "MembraneReport", "MeshFile", "Movie",
    "Neighbourhood", "Observed", "Output", "Overlap", "Profile", "QualityReport", "Reach", "Recording",
    "RegionReport", "Run", "Series", "Shape", "Threshold", "Timetable", "Trace", "Traces", "Validity", "View",
    "Voids", "Waits"}
"""What analyses, runs and readers return, and draws: of the right kind, and nan where there is no number."""

BELOW_ZERO = {"V", "V_half", "V_slope", "valence", "threshold", "E", "reset", "peak", "V_T", "a", "b", "current"}
"""Fields of potentials, currents and charges."""

MEANT = {
    ("Domain", "outer", "inf"): "Ca2+ rests far away",
    ("Tolerance", "longest", "inf"): "steps of any length",
    ("Model", "fipy_terms", "None"): "no FiPy terms",
    ("Species", "initial", "-1"): "the example is signed",
    ("RateNeuron", "drive", "-1"): "inhibition",
    ("SlowSignal", "of", "-1"): "what a slow signal follows may be negative",
    ("IP3RChannels", "own", "-1"): "less than what the element adds",
    ("IP3RChannels", "others", "-1"): "less than what the element adds",
    ("Bench", "synapses", "wrong shape"): "two positions",
    ("Case", "trains", "wrong shape"): "two trains of three spikes",
    ("Experiment", "spikes", "wrong shape"): "two trains of three spikes",
}


def classes() -> Iterator[type]:
    """All public dataclasses outside the engine, and those of it that users make."""
    yield from (Tolerance, Electrolyte)
    for found in pkgutil.walk_packages(spatial.__path__, "spatial."):
        if "._engine" in found.name or found.name.endswith("__main__"):
            continue
        module = importlib.import_module(found.name)
        for name, kind in inspect.getmembers(module, inspect.isclass):
            is_here = kind.__module__ == found.name and name[0] != "_"
            if is_here and is_dataclass(kind) and name not in MADE_AT_EACH_STEP:
                yield kind


@cache
def example(kind: type) -> Any:
    """One valid object of a class."""
    return EXAMPLES[kind]() if kind in EXAMPLES else kind(**{
        field.name: made(field.type, field.name) for field in fields(kind)
        if field.default is MISSING and field.default_factory is MISSING})


def made(kind: Any, name: str) -> Any:
    """Something of the kind that an annotation says."""
    simple = {float: 1.0, int: 1, str: name, bool: True, Any: None, type(None): None}
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Species and name == "V":
        return V
    if kind in EXAMPLES:
        return EXAMPLES[kind]()
    if kind in simple:
        return simple[kind]
    if origin in (Union, types.UnionType):
        return made(arguments[0], name)
    if origin is Literal:
        return arguments[0]
    if origin is np.ndarray:
        return np.zeros(0)
    if origin is tuple:
        parts = arguments[:1] if arguments[1:] == (Ellipsis,) else arguments
        return tuple(made(part, name) for part in parts)
    if origin is Callable:
        return lambda *seen: 0.0
    if origin is not None:
        return origin() if not inspect.isabstract(origin) else {} if issubclass(origin, Mapping) else ()
    return example(kind)


def with_field(kind: type, name: str, value: Any) -> Any:
    """An object like the example of a class, with another value of one field."""
    given = {field.name: getattr(example(kind), field.name) for field in fields(kind) if field.init}
    return kind(**{**given, name: value})


def parts_of(kind: Any) -> set[Any]:
    """The kinds that an annotation allows."""
    if get_origin(kind) in (Union, types.UnionType):
        return {part for argument in get_args(kind) for part in parts_of(argument)}
    return {get_origin(kind) or kind}


def has_meaning(kind: type, name: str, annotation: Any, bad: str) -> bool:
    """Whether a value that is bad elsewhere has a meaning in this field."""
    parts, is_result = parts_of(annotation), kind.__name__ in RESULTS
    numbers = parts & {float, int, np.ndarray}
    return (Any in parts or (kind.__name__, name, bad) in MEANT or (bad == "None" and type(None) in parts)
            or (bad == "text" and str in parts) or (bad == "0" and bool(numbers))
            or (bad == "-1" and bool(numbers) and (is_result or name in BELOW_ZERO))
            or (bad in ("nan", "inf") and float in parts and is_result)
            or (bad == "wrong shape" and np.ndarray in parts and is_result))


CLASSES = list(classes())


def test_the_classes_are_found_and_each_has_an_example():
    assert {"Species", "Place", "Region", "LiRinzel", "TsodyksMarkram", "Probe", "Tolerance"} <= {
        kind.__name__ for kind in CLASSES}
    for kind in CLASSES:
        assert isinstance(example(kind), kind)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_value_of_a_field_is_refused(kind):
    wrong = []
    for field in (field for field in fields(kind) if field.init):
        for bad, value in BAD.items():
            try:
                with_field(kind, field.name, value)
            except InputError:
                continue
            except Exception as error:
                wrong.append(f"{field.name} = {bad}: {type(error).__name__}: {error}")
                continue
            if not has_meaning(kind, field.name, field.type, bad):
                wrong.append(f"{field.name} = {bad}: accepted")
    assert not wrong, "\n".join(wrong)
