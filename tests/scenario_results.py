"""The smallest result of every scenario, and what makes two results the same to the last bit."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from spatial.analysis.tortuosity import block
from spatial.geometry.cleft import Cleft
from spatial.geometry.grid import grid
from spatial.geometry.load import load
from spatial.geometry.tripartite import Tripartite
from spatial.scenarios.buffering import model as buffering
from spatial.scenarios.buffering.settings import BufferingSettings
from spatial.scenarios.cleft import model as cleft
from spatial.scenarios.cleft.settings import CleftSettings
from spatial.scenarios.coverage import model as coverage
from spatial.scenarios.coverage.settings import CoverageSettings
from spatial.scenarios.heterosynaptic import model as heterosynaptic
from spatial.scenarios.heterosynaptic.settings import INTACT, HeterosynapticSettings
from spatial.scenarios.homeostasis import model as homeostasis
from spatial.scenarios.homeostasis.settings import HomeostasisSettings
from spatial.scenarios.parts import release_in_cleft
from spatial.scenarios.parts.neighbourhood import parametric
from spatial.scenarios.parts.settings import Settings
from spatial.scenarios.parts.sliced_process import SlicedProcess
from spatial.scenarios.potassium import model as potassium
from spatial.scenarios.potassium.settings import PotassiumSettings
from spatial.scenarios.protocols import bench
from spatial.scenarios.protocols import model as protocols
from spatial.scenarios.protocols.settings import ProtocolSettings
from spatial.scenarios.puffs import report as puffs_report
from spatial.scenarios.puffs.model import puffs
from spatial.scenarios.puffs.settings import PuffSettings
from spatial.scenarios.spread import report as spread_report
from spatial.scenarios.spread.model import TRANSMITTERS, spread
from spatial.scenarios.spread.settings import SpreadSettings
from spatial.scenarios.tripartite.model import tripartite
from spatial.scenarios.virtual_iontophoresis.model import measure
from spatial.simulate import simulate
from spatial.units import Hz, ms, nm, s, um

MESHES = Path(__file__).resolve().parents[1] / "meshes"
CLEFT = Cleft(resolution=2.0, surround=0.6, coverage=0.5)
BRIEF = release_in_cleft.ReleaseSettings(duration=0.01 * ms)


def of_buffering() -> Any:
    """A slab of four slices."""
    settings = BufferingSettings(length=40 * um, slice=10 * um, active=0.3, start=0.1 * s, stop=0.3 * s,
                                 duration=0.4 * s, lengths=())
    return buffering.observe(buffering.slab(settings))


def of_cleft() -> Any:
    """One cleft that an astrocyte seals by half, with the case that it is of."""
    case = cleft.cases(CleftSettings(open_rim=(0.5,), release=BRIEF, shape=CLEFT))[-1]
    return case, release_in_cleft.observe(case.release, [0.0, BRIEF.duration])


def of_coverage() -> Any:
    """One cleft that is covered by half, with the case that it is of."""
    case = coverage.cases(CoverageSettings(coverage=(0.5,), release=BRIEF, shape=CLEFT))[0]
    return case, release_in_cleft.observe(case.release, [0.0, BRIEF.duration])


def of_heterosynaptic() -> Any:
    """Two synapses that fire in turn, with nothing blocked."""
    process = SlicedProcess(length=1.0, branches=1, branch_length=0.3, spacing=0.5, around=0.5, reach=1.2,
                            farthest=0.5, thickness=0.05)
    awake = Settings(sites=40, vesicles=1, spikes=1, first=0.002, duration=0.004, calcium=0.8)
    return heterosynaptic.heterosynaptic(HeterosynapticSettings(synapses=2, seeds=1, blocks=(INTACT,),
                                                                process=process, tripartite=awake))


def of_homeostasis() -> Any:
    """Neurons with adenosine, for a moment."""
    settings = HomeostasisSettings(inputs=2, duration=0.05 * s)
    return homeostasis.homeostasis(settings.loop, settings)


def of_potassium() -> Any:
    """One spike beside a process."""
    settings = PotassiumSettings(spikes=1, rate=100 * Hz, first=0.5 * ms, duration=1 * ms,
                                 shape=Cleft(resolution=5.0, surround=0.6 * um), coverage=(), swept=1)
    return potassium.observe(potassium.burst(settings), [0.0, 1 * ms])


def of_protocols() -> Any:
    """A pair on a coarse bench."""
    small = bench.Bench(rows=1, brick=500 * nm, synapses=((0, 0, 0), (-1, 0, 0)))
    settings = ProtocolSettings(only="clamp", pairs=1, settle=0.01 * s, bench=small)
    return bench.observe(replace(protocols.cases(settings)[protocols.CONTROL], duration=0.22 * s))


def of_puffs() -> Any:
    """Ten milliseconds of a busy process, with the experiment that it is of."""
    settings = PuffSettings(duration=0.01, ip3=20.0, density=600.0)
    one = puffs(load(MESHES / "tripartite_coarse.msh"), settings, np.random.default_rng(1))
    return one, puffs_report.observe(one, settings, seed=2)


def of_spread() -> Any:
    """One vesicle of each transmitter, and what each receptor heard."""
    few = SpreadSettings(frames=5)
    return [spread_report.observe(spread(one, few)) for one in TRANSMITTERS.values()]


def of_tripartite() -> Any:
    """The default experiment on a coarse mesh, and a few steps of it."""
    around = parametric(Tripartite(resolution=2.0))
    experiment = tripartite(around.mesh, around.synapses, Settings(sites=40), np.random.default_rng(0))
    return experiment, simulate(experiment.model, 0.0005, experiment.watch, seed=3)


def of_virtual_iontophoresis() -> Any:
    """Traces in a small block of homogenised tissue, and what they tell."""
    of = block(grid("ecs", [0, 0, 0], [1.0, 1.0, 1.0], 0.2, 0.2, 1.6))
    return of, measure(of, np.random.default_rng(2), sources=2, electrodes=20)


RESULTS: Mapping[str, Callable[[], Any]] = {
    name.removeprefix("of_"): make for name, make in list(globals().items()) if name.startswith("of_")}
"""By the name of a scenario's folder, what makes its smallest result."""


def same(one: Any, other: Any, seen: set[tuple[int, int]] | None = None) -> bool:
    """Whether two results hold the same to the last bit. Objects are compared by what they hold."""
    seen = set() if seen is None else seen
    if one is other or (id(one), id(other)) in seen:
        return True
    if type(one) is not type(other):
        return False
    seen.add((id(one), id(other)))
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape) == (other.dtype, other.shape) and one.tobytes() == other.tobytes()
    these, those = parts(one), parts(other)
    if these is None or those is None:
        return repr(one) == repr(other)
    return len(these) == len(those) and all(same(a, b, seen) for a, b in zip(these, those, strict=True))


def parts(thing: Any) -> list[Any] | None:
    """What an object is made of; None for a number, a name, a function."""
    if isinstance(thing, Mapping):
        return [part for pair in thing.items() for part in pair]
    if isinstance(thing, list | tuple):
        return list(thing)
    if isinstance(thing, partial):
        return [thing.func, thing.args, thing.keywords]
    if is_dataclass(thing):
        return [getattr(thing, each.name) for each in fields(thing)]
    if isinstance(thing, FunctionType) or not hasattr(thing, "__dict__"):
        return None
    return list(vars(thing).values())
