"""Every mechanism, whichever file it is in, refuses parameters that are negative or not numbers."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import spatial.mechanisms
import spatial.synapses
from spatial.checks import InputError
from spatial.geometry.place import Floats, Place
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.drawn_exocytosis import Waits
from spatial.mechanisms.ip3r_channels import Scheme, denizot
from spatial.mechanisms.uptake import ASCT, Carrier
from spatial.model import Held, Species
from spatial.synapses.glutamate_receptors import NMDA, Receptor
from spatial.synapses.network import Partner
from spatial.synapses.plasticity.gates import CoagonistGate, Gate
from spatial.synapses.release import A1Inhibition, ReleaseProbability
from spatial.synapses.synaptic_current import SynapticCurrent
from spatial.synapses.vesicles import Draws, draw

PLACE = pool("cytosol", [1.0])


def mechanism_classes() -> Iterator[type]:
    """All dataclasses with rates and a place of their own that live in the two packages of mechanisms."""
    for package in (spatial.mechanisms, spatial.synapses):
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            for _, kind in inspect.getmembers(importlib.import_module(found.name), inspect.isclass):
                if kind.__module__ == found.name and is_dataclass(kind) and hasattr(kind, "rates") and (
                        "where" in kind.__dataclass_fields__):
                    yield kind


CLASSES = list(mechanism_classes())
NUMBERS = [(kind, field.name) for kind in CLASSES for field in fields(kind) if field.type in (float, int)]


def arguments(kind: type) -> dict[str, Any]:
    """Something of the right type for every field without a default."""
    made = {Place: lambda name: PLACE,
            Species: lambda name: Species(name, PLACE, -70.0 if name == "V" else 0.0, signed=True),
            float: lambda name: 1.0, int: lambda name: 1, Scheme: lambda name: denizot(),
            float | Floats: lambda name: 1.0,
            Carrier: lambda name: ASCT, Held: lambda name: 1.0, Gate: lambda name: CoagonistGate(1.0),
            ReleaseProbability: lambda name: A1Inhibition(1.0), Partner: lambda name: SimpleNamespace(run=dict),
            Waits: lambda name: Waits(np.ones((1, 2))),
            Draws: lambda name: draw((np.zeros(0),), 4, np.random.default_rng(0)),
            Receptor: lambda name: NMDA, Mapping[str, Species]: lambda name: NMDA.species(PLACE),
            SynapticCurrent: lambda name: SynapticCurrent(PLACE, Species("V", PLACE, signed=True), 0.0, 0.0),
            Sequence[float] | Floats: lambda name: [0.1, 1.7],
            Callable[[float], float] | Sequence[float] | Floats: lambda name: [0.0, 1.0],
            tuple[Species, ...]: lambda name: tuple(Species(f"{name} {k}", PLACE) for k in range(8))}
    arrays = {"trains": (np.zeros(0),), "post": np.zeros(0)}
    return {field.name: arrays[field.name] if field.name in arrays else made[field.type](field.name)
            for field in fields(kind) if field.default is MISSING}


def test_the_classes_are_found():
    names = {kind.__name__ for kind in CLASSES}
    assert {"LiRinzel", "SERCA", "Exocytosis", "Emptying", "TsodyksMarkram", "ThreeFactorRule"} <= names
    assert len(names) >= 16
    assert len(NUMBERS) >= 50


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_defaults_are_accepted(kind):
    assert kind(**arguments(kind)).where is PLACE


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf], ids=str)
@pytest.mark.parametrize(("kind", "name"), NUMBERS, ids=lambda value: getattr(value, "__name__", value))
def test_a_parameter_that_is_negative_or_no_number_is_refused(kind, name, value):
    sentence = rf"^{kind.__name__}: {name} is {value:g}; it must be a finite number >=? 0$"
    with pytest.raises(InputError, match=sentence):
        kind(**{**arguments(kind), name: value})


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_default_has_its_source_beside_it(kind):
    """A comment names the source or says that it is a choice; a named constant has its own."""
    for line in inspect.getsource(kind).splitlines():
        if re.match(r" {4}\w+: (float|int) = ", line):
            assert "#" in line or re.search(r"= [A-Z][A-Z0-9_]+$", line), f"{kind.__name__}: no source in {line!r}"
