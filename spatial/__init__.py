"""spatial: where an astrocyte changes a synapse.

A mesh says where, species say what lives there, mechanisms say how fast it changes, a model is that
list, and `simulate` turns it into a recording.
"""

# ruff: noqa: E402

import os

# Before numpy is imported: the kernels are our own, and BLAS threads would only wait for one another.
for _name, _value in {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "FIPY_SOLVERS": "scipy"}.items():
    os.environ.setdefault(_name, _value)

from spatial._engine.methods.electrolyte import Capacitor, Electrolyte
from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.stepping.resting_state import rest
from spatial._engine.system.layout import State
from spatial.checks import InputError, Unusual
from spatial.geometry.bricks import graded_grid
from spatial.geometry.discretise import discretise
from spatial.geometry.grid import grid, in_homogenised_tissue
from spatial.geometry.place import Mesh, Place
from spatial.geometry.shells import shells
from spatial.geometry.tetrahedra import Region, Tetrahedra
from spatial.geometry.well_mixed import pool, well_mixed
from spatial.model import (
    AtTimes,
    Channels,
    ConcentrationLaw,
    EachStep,
    Mechanism,
    Model,
    OnRise,
    Path,
    Reaction,
    Species,
)
from spatial.observe.probes import Probe, at, each, mean, over, peak, total
from spatial.observe.recording import Recording
from spatial.reading.read import HardlyMeant
from spatial.simulate import FewMolecules, OtherParameters, Repaired, UndeclaredTimes, simulate

__all__ = [
    "AtTimes", "Capacitor", "Channels", "ConcentrationLaw", "EachStep", "Electrolyte", "FewMolecules", "HardlyMeant",
    "InputError", "Mechanism", "Mesh", "Model", "OnRise", "OtherParameters", "Path", "Place", "Probe", "Reaction",
    "Recording", "Region", "Repaired", "Species", "State", "Tetrahedra", "Tolerance", "UndeclaredTimes", "Unusual",
    "at", "discretise", "each", "graded_grid", "grid", "in_homogenised_tissue", "mean", "over", "peak", "pool",
    "rest", "shells", "simulate", "total", "well_mixed",
]
