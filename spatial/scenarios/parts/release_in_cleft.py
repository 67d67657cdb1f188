"""One vesicle of glutamate into a synaptic cleft: what is shared by the scenarios that vary the cleft's surroundings.

The vesicle empties in the middle of the presynaptic face; glutamate leaves through the rim, and transporters take
it: those of the astrocyte's collar, of what seals the rim, and of the neuropil, per volume.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from spatial import checks
from spatial.analysis.escape import escape_times
from spatial.checks import arguments, by_annotation, shaped
from spatial.geometry.cleft import FAR, PSD, SEAL_MEMBRANE, Cleft, cleft
from spatial.geometry.discretise import discretise
from spatial.geometry.open_boundary import far_permeability
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.surfaces import PLASMA_MEMBRANE
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.exocytosis import Emptying
from spatial.mechanisms.glutamate_transporter import DENSITY, IN_TISSUE, KM_MATCHED, Transporter
from spatial.model import Mechanism, Model, Species
from spatial.observe.frames import Film
from spatial.observe.probes import Probe, at_elements, mean_around, total, weighted_sum
from spatial.observe.recording import Recording
from spatial.scenarios.parts.experiment import Conserved, Experiment, after
from spatial.scenarios.parts.settings import LEDGER
from spatial.simulate import Progress, simulate
from spatial.synapses.glutamate_receptors import AMPA, DOUBLY_BOUND, NMDA
from spatial.units import molecule, ms, uM, us

VESICLE = "vesicle"
COVERED, OTHER = "covered side", "other side"
IN_CLEFT, AT_PSD, AT_NEIGHBOURS = "glutamate in the cleft", "glutamate at the PSD", "glutamate at the neighbours"
COLLAR, SEAL, NEUROPIL = "collar", "seal", "neuropil"
LOST = "glutamate lost beyond the surround"
_SAME = 1e-6  # um
_FEW = 0.1  # of the vesicle: the size that errors of what has left are compared with


@dataclass(frozen=True)
class ReleaseSettings:
    """What is released, and what takes it."""

    molecules: float = 3000 * molecule  # in a vesicle, 1500-5000; M
    emptying: float = 0.1 * ms  # time constant of the vesicle's pore; choice
    D: float = 760.0  # um^2/s of glutamate in free solution; M
    duration: float = 5 * ms
    on_collar: float = DENSITY  # transporters per area [uM um]
    on_seal: float = 0.0  # transporters per area [uM um] of what closes the rim; 0: an adhesion without any
    in_neuropil: float = IN_TISSUE  # transporters per volume of tissue [uM]
    km_matched: bool = False  # transporters of the preset KM_MATCHED instead of FAST

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("molecules", "emptying", "D", "duration"))


@dataclass(frozen=True)
class Release:
    """The experiment, what it was made from, and the field of glutamate."""

    shape: Cleft
    settings: ReleaseSettings
    experiment: Experiment
    glutamate: Species

    def __post_init__(self) -> None:
        checks.kinds(self)


@dataclass(frozen=True)
class Observed:
    """What a release showed."""

    release: Release
    recording: Recording
    film: Film

    def __post_init__(self) -> None:
        checks.kinds(self)


@by_annotation
def release_in_cleft(shape: Cleft, settings: ReleaseSettings) -> Release:
    """The experiment in a cleft of this shape."""
    mesh = furnished(shape)
    glutamate = Species("glutamate", mesh["ecs"], D=settings.D, scale=1 * uM)
    vesicle = Species("glutamate in the vesicle", mesh[VESICLE], settings.molecules, unit="uM um^3")
    lost = Species(LOST, mesh[LEDGER], scale=_FEW * settings.molecules, signed=True)
    uptakes = [_uptake(name, mesh[place], density, glutamate, mesh[LEDGER], settings)
               for name, place, density in (
                   (COLLAR, PLASMA_MEMBRANE, settings.on_collar), (SEAL, SEAL_MEMBRANE, settings.on_seal),
                   (NEUROPIL, "neuropil", settings.in_neuropil / shape.volume_fraction))
               if place in mesh and density > 0]
    species = (glutamate, vesicle, lost, *(one for uptake in uptakes for one in uptake.species))
    conserved = (Conserved("glutamate", dict.fromkeys(
        (glutamate, vesicle, lost, *(one for each in uptakes for one in each.holding)), 1.0)),
        *(Conserved(f"transporters of the {each.name}", dict.fromkeys(each.states, 1.0)) for each in uptakes))
    mechanisms: list[Mechanism] = [
        Emptying(mesh[VESICLE], vesicle, glutamate, settings.emptying), *(each.transporter for each in uptakes),
        Conversion(mesh[FAR], glutamate, lost, _beyond(mesh, shape, settings))]
    watch = (*_views(mesh, shape, glutamate), total(vesicle), total(lost), *(each.held for each in uptakes),
             *(probe for one in conserved for probe in (one.probe, one.turnover)))
    return Release(shape, settings, Experiment(
        "release in a cleft", mesh, Model(species, mechanisms), watch, (glutamate,), conserved, settings.duration, (),
        {one.name: one for one in species}), glutamate)


@by_annotation
def furnished(shape: Cleft) -> Mesh:
    """The mesh with the vesicle's pore, and a ledger that all touch who take glutamate."""
    mesh = discretise(cleft(shape)).with_places(pool(LEDGER, [1.0]))
    for name in (PLASMA_MEMBRANE, SEAL_MEMBRANE, "neuropil", FAR):
        if name in mesh:
            mesh = mesh.touching(name, LEDGER, np.zeros(len(mesh[name]), np.int64))
    ecs = mesh["ecs"]
    pore = ecs.nearest(np.array([0.0, 0.0, shape.height / 2]))
    return mesh.with_places(Place(VESICLE, 0, np.ones(1), ecs.centres[pore], touches={"ecs": pore}))


@dataclass(frozen=True)
class _Uptake:
    """Transporters somewhere, and the ledger of what they have taken."""

    name: str
    transporter: Transporter

    @property
    def states(self) -> tuple[Species, Species, Species]:
        return self.transporter.free, self.transporter.bound, self.transporter.inward

    @property
    def holding(self) -> tuple[Species, Species]:
        """What glutamate is in once it has been bound."""
        return self.transporter.bound, self.transporter.taken

    @property
    def species(self) -> tuple[Species, ...]:
        return *self.states, self.transporter.taken

    @property
    def held(self) -> Probe:
        """Glutamate bound or taken [uM um^3]."""
        return weighted_sum(f"glutamate on the {self.name}", "uM um^3",
                            {one: one.place.measure for one in self.holding})


def _uptake(name: str, where: Place, density: float, glutamate: Species, ledger: Place,
            settings: ReleaseSettings) -> _Uptake:
    """Transporters of some density, all of them free."""
    unit = "uM" if where.dimension == 3 else "uM um"
    free = Species(f"transporters of the {name}", where, density, unit=unit)
    bound, inward = (Species(f"transporters of the {name} {how}", where, unit=unit, scale=density)
                     for how in ("with glutamate", "inward"))
    taken = Species(f"glutamate taken by the {name}", ledger, scale=_FEW * settings.molecules, signed=True)
    return _Uptake(name, Transporter(where, glutamate, free, bound, inward, taken,
                                     **(KM_MATCHED if settings.km_matched else {})))


def _beyond(mesh: Mesh, shape: Cleft, settings: ReleaseSettings) -> Floats:
    """(k,) permeability [um/s] of the far boundary: the neuropil goes on, and binds glutamate as it does everywhere."""
    loss = Transporter.kon * settings.in_neuropil / shape.volume_fraction
    return far_permeability(mesh[FAR], mesh["ecs"], settings.D, volume_fraction=shape.volume_fraction,
                             tortuosity=shape.tortuosity, loss=loss)


def _views(mesh: Mesh, shape: Cleft, glutamate: Species) -> tuple[Probe, ...]:
    """Glutamate [uM]: means over the cleft and over the PSD, and at the neighbours."""
    neighbours = mesh["ecs"].nearest(shape.neighbours)
    return (mean_around(glutamate, mesh["cleft"], IN_CLEFT), mean_around(glutamate, mesh[PSD], AT_PSD),
            at_elements(glutamate, neighbours, AT_NEIGHBOURS))


@by_annotation
def observe(release: Release, frame_times: Iterable[float] = (), progress: Progress | None = None) -> Observed:
    """Run the experiment; the film keeps glutamate at the `frame_times` [s]."""
    film, experiment = Film(release.glutamate), release.experiment
    recording = simulate(experiment.model, experiment.duration, experiment.watch, frames=film, frame_times=frame_times,
                         progress=progress)
    return Observed(release, recording, film)


@by_annotation
def sweep(releases: Sequence[Release], frame_times: Iterable[float] = (),
          progress: Progress | None = None) -> list[Observed]:
    """Run the experiments one after the other; `progress` is told the sum of their times."""
    times, found, before = list(frame_times), list[Observed](), 0.0
    for release in releases:
        found.append(observe(release, times, after(before, progress)))
        before += release.settings.duration
    return found


@by_annotation
def findings(observed: Observed) -> dict[str, float]:
    """What a release came to in numbers, each named with its unit."""
    recording, settings = observed.recording, observed.release.settings
    t, in_cleft, at_psd = recording.times, recording[IN_CLEFT], recording[AT_PSD]
    neighbours = recording.series[AT_NEIGHBOURS].values
    nmda_near = NMDA.follow(t, neighbours, DOUBLY_BOUND).max(axis=0)
    found = {"peak in the cleft [uM]": in_cleft.max(),
             "decay to 1/e [ms]": decay(t, in_cleft) / ms,
             "area over peak [ms]": np.trapezoid(in_cleft, t) / in_cleft.max() / ms,
             "AMPA receptors open at the PSD [%]": 100 * AMPA.follow(t, at_psd, ["O"]).max(),
             "NMDA receptors bound at the PSD [%]": 100 * NMDA.follow(t, at_psd, DOUBLY_BOUND).max()}
    for k, side in enumerate((COVERED, OTHER)):
        found |= {f"peak at the neighbour, {side} [uM]": neighbours[:, k].max(),
                  f"area at the neighbour, {side} [uM ms]": np.trapezoid(neighbours[:, k], t) / ms,
                  f"NMDA receptors bound at the neighbour, {side} [%]": 100 * nmda_near[k]}
    for name in (COLLAR, SEAL, NEUROPIL):
        series = f"glutamate on the {name}"
        held = recording[series][-1] if series in recording.series else 0.0
        found[f"bound or taken by the {name} [%]"] = 100 * held / settings.molecules
    on_seal = f"bound or taken by the {SEAL} [%]"
    left = in_cleft[-1] * observed.release.experiment.mesh["cleft"].total / settings.molecules
    unreleased = recording["total glutamate in the vesicle"][-1] / settings.molecules
    found |= {"gone beyond the surround [%]": 100 * recording[f"total {LOST}"][-1] / settings.molecules,
              "left in the cleft at the end [%]": 100 * left,
              "leaves the cleft unbound [%]": 100 * (1 - left - unreleased) - found[on_seal],
              "mean time to the open rim [us]": time_to_rim(observed.release) / us}
    return {name: float(value) for name, value in found.items()}


@by_annotation
def time_to_rim(release: Release) -> float:
    """Mean time [s] that a molecule takes from the vesicle to the open rim for the first time; nan if it is sealed."""
    shape, mesh = release.shape, release.experiment.mesh
    if shape.sealed == 1:
        return float("nan")
    ecs = mesh["ecs"]
    x, y, _ = ecs.centres.T
    out = (np.hypot(x, y) > shape.radius - _SAME) & (np.abs(np.arctan2(y, x)) > np.pi * shape.sealed - _SAME)
    out[np.setdiff1d(np.arange(len(ecs)), mesh["cleft"].touches["ecs"])] = True
    return float(escape_times(ecs, release.settings.D, np.flatnonzero(out))[mesh[VESICLE].touches["ecs"]][0])


@arguments(may_be_nan=("values",))
def decay(times: Floats, values: Floats) -> float:
    """Time [s] from the peak until values first are 1/e of it, interpolated; nan if they never are."""
    shaped("decay: times", times, ("k",))
    shaped("decay: values", values, (len(times),), "one for each time")
    top = int(values.argmax())
    low = np.flatnonzero(values[top:] <= values[top] / np.e)
    if not len(low):
        return float("nan")
    i = top + int(low[0])
    part = (values[i - 1] - values[top] / np.e) / (values[i - 1] - values[i])
    return float(times[i - 1] + part * (times[i] - times[i - 1]) - times[top])
