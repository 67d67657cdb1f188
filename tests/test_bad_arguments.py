"""Functions that make meshes, probes, spikes and analyses refuse in one sentence what is no value of an argument.

Each argument in turn is given nan, inf, -1, 0, a text, an array of a wrong shape and None, beside a valid call.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from test_bad_numbers import BAD, parts_of

import spatial
from spatial.analysis.escape import escape_times, mean_escape_time, slowest_decay
from spatial.analysis.spread import (
    apparent_diffusion,
    expected_synapses,
    largest_radius,
    length_constant,
    poisson_synapses,
)
from spatial.checks import InputError
from spatial.geometry.bricks import graded_grid, stretched_edges
from spatial.geometry.grid import grid, in_homogenised_tissue
from spatial.geometry.place import Mesh
from spatial.geometry.shapes import ball, box, cylinder, spine
from spatial.geometry.shells import graded, rings, shells
from spatial.geometry.store import with_store
from spatial.geometry.well_mixed import pool, well_mixed
from spatial.model import Model, Species
from spatial.observe.probes import at, at_elements, each, local, mean, over, peak, total, weighted_size, weighted_sum
from spatial.synapses.spikes import bursts, poisson, regular
from spatial.units import ion_flux

ECS = grid("ecs", (0, 0, 0), (1, 1, 1), 0.5)
MESH = Mesh.of(ECS).with_points("synapses", [(0.5, 0.5, 0.5)], ["ecs"])
C, ON_SYNAPSES = Species("c", MESH["ecs"]), Species("w", MESH["synapses"])
CELL = well_mixed({"cytosol": 1.0}, {"plasma membrane": (1.0, ["cytosol"])})
EDGES = np.array([0.0, 1.0, 2.0])
RNG = np.random.default_rng(0)

CALLS: Mapping[Callable[..., Any], Mapping[str, Any]] = {
    mean: {"species": C}, peak: {"species": C}, total: {"species": C}, each: {"species": C},
    at: {"species": C, "positions": [(0.5, 0.5, 0.5)], "name": "here"}, over: {"species": C, "points": ON_SYNAPSES},
    at_elements: {"species": C, "elements": [0, 3], "name": "some"},
    weighted_sum: {"name": "sum", "unit": "uM", "weights": {C: 1.0}},
    weighted_size: {"name": "size", "unit": "uM", "weights": {C: 1.0}},
    local: {"name": "gate", "unit": "1", "where": MESH["synapses"], "read": lambda c: c[C]},
    pool: {"name": "pool", "volumes": [1.0, 2.0], "centres": np.zeros((2, 3))},
    well_mixed: {"volumes": {"cytosol": 1.0}, "membranes": {"m": (1.0, ["cytosol"])}},
    grid: {"name": "ecs", "lower": (0, 0, 0), "upper": (1, 1, 1), "spacing": 0.5, "volume_fraction": 0.2,
           "tortuosity": 1.6},
    graded_grid: {"name": "ecs", "edges": [EDGES] * 3, "volume_fraction": 0.2, "tortuosity": 1.6},
    stretched_edges: {"lower": -1.0, "upper": 1.0, "spacing": 0.5, "reach": 2.0, "growth": 1.5},
    shells: {"name": "ecs", "edges": EDGES, "volume_fraction": 0.2, "tortuosity": 1.6},
    rings: {"name": "ecs", "radii": EDGES, "heights": EDGES, "volume_fraction": 0.2, "tortuosity": 1.6},
    graded: {"first": 0.1, "last": 1.0, "growth": 1.5},
    in_homogenised_tissue: {"mesh": CELL, "margin": 0.5, "spacing": 0.25, "volume_fraction": 0.2, "tortuosity": 1.6},
    with_store: {"mesh": Mesh.of(grid("cytosol", (0, 0, 0), (1, 1, 1), 0.5)), "volume_ratio": 0.2,
                 "surface_to_volume": 2.0, "tortuosity": 1.0, "filled": 1.0},
    ball: {"radius": 0.5, "size": 0.5}, cylinder: {"radius": 0.5, "length": 1.0, "size": 0.5},
    box: {"lengths": (1.0, 1.0, 1.0), "size": 0.5}, spine: {"head": 0.5, "neck": 0.2, "length": 1.0, "size": 0.4},
    regular: {"count": 3, "rate": 10.0, "start": 0.1}, poisson: {"rate": 10.0, "until": 1.0, "rng": RNG},
    bursts: {"count": 2, "size": 3, "rate": 100.0, "interval": 0.5, "start": 0.1},
    ion_flux: {"current": 1.0, "valence": 2},
    spatial.rest: {"model": Model([C])}, largest_radius: {"amount": 1.0, "threshold": 0.1, "volume_fraction": 0.2},
    apparent_diffusion: {"D": 100.0, "tortuosity": 1.6}, length_constant: {"D": 100.0, "loss": 1.0},
    expected_synapses: {"volume": 1.0, "density": 1.0}, poisson_synapses: {"radius": 1.0, "rng": RNG, "density": 1.0},
    escape_times: {"place": ECS, "D": 1.0, "absorbing": np.array([0])},
    mean_escape_time: {"place": ECS, "D": 1.0, "absorbing": np.array([0])},
    slowest_decay: {"place": ECS, "D": 1.0, "absorbing": np.array([0])},
}

MEANT = {
    ("stretched_edges", "lower", "-1"): "a position", ("stretched_edges", "upper", "-1"): "a position",
    ("ion_flux", "current", "-1"): "inward", ("ion_flux", "valence", "-1"): "an anion",
    ("ion_flux", "current", "wrong shape"): "several", ("expected_synapses", "volume", "wrong shape"): "several",
    ("at", "positions", "wrong shape"): "two positions", ("pool", "centres", "wrong shape"): "two positions",
    **{(name, "absorbing", "wrong shape"): "element 1, several times" for name in
       ("escape_times", "mean_escape_time", "slowest_decay")},
}


def has_meaning(function: Callable[..., Any], name: str, bad: str) -> bool:
    """Whether a value that is bad elsewhere has a meaning for this argument."""
    parts = parts_of(inspect.signature(function).parameters[name].annotation)
    return ((function.__name__, name, bad) in MEANT or (bad == "None" and type(None) in parts)
            or (bad == "text" and str in parts) or (bad == "0" and bool(parts & {float, int})))


@pytest.mark.parametrize("function", CALLS, ids=lambda function: function.__name__)
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_value_of_an_argument_is_refused(function):
    given = CALLS[function]
    function(**given)
    wrong = []
    for name in given:
        for bad, value in BAD.items():
            try:
                function(**{**given, name: value})
            except InputError:
                continue
            except Exception as error:
                wrong.append(f"{name} = {bad}: {type(error).__name__}: {error}")
                continue
            if not has_meaning(function, name, bad):
                wrong.append(f"{name} = {bad}: accepted")
    assert not wrong, "\n".join(wrong)
