"""One valid call of each public function, where its arguments cannot be made by their annotations alone."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from spatial.analysis.buffered_domain import Domain
from spatial.analysis.identifiability import Profile
from spatial.analysis.microdomains import detect
from spatial.analysis.microscope import Camera, Microscope, Movie, widefield
from spatial.analysis.quasi_static import QuasiStatic
from spatial.analysis.spread import reach
from spatial.analysis.tortuosity import block
from spatial.geometry.grid import grid
from spatial.geometry.place import Mesh
from spatial.geometry.shapes import ball
from spatial.geometry.well_mixed import pool, well_mixed
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.indicator import Indicator
from spatial.mechanisms.ip3r_channels import denizot
from spatial.mechanisms.rapid_buffer import RapidBuffer
from spatial.model import Model, Species
from spatial.observe.probes import mean
from spatial.synapses.postsynaptic import TONIC

ECS = grid("ecs", (0, 0, 0), (1, 1, 1), 0.5)
MESH = Mesh.of(ECS).with_points("synapses", [(0.5, 0.5, 0.5)], ["ecs"])
C, ON_SYNAPSES = Species("c", MESH["ecs"]), Species("w", MESH["synapses"])
CELL = well_mixed({"cytosol": 1.0}, {"plasma membrane": (1.0, ["cytosol"])})
CELL_WITH_ER = well_mixed({"cytosol": 1.0, "er": 0.1}, {
    "plasma membrane": (1.0, ["cytosol"]), "er membrane": (1.0, ["cytosol", "er"])})
PLACE = pool("cytosol", [1.0])
S = Species("s", PLACE, 1.0)
GONE = Species("gone", PLACE)
LOSS = Conversion(PLACE, S, GONE, 1.0)
BALL = ball(0.5, 0.5)
EDGES = np.array([0.0, 1.0, 2.0])
TIMES = np.linspace(0.0, 1.0, 9)
COURSE = 1 - np.exp(-5 * TIMES)
RADII = np.array([0.5, 1.0])
FIELD = np.full((9, 8), COURSE[:, None])
WEIGHED = {C: 1.0}
DIRECTIONS = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])


def domain() -> dict[str, Any]:
    return {"self": Domain(1.0), "r": RADII, "buffer": RapidBuffer(10.0, K=1.0, kon=100.0, D=10.0)}


def doubled(values: Any) -> Any:
    return 2 * np.append(values, values.sum())


def fast() -> QuasiStatic:
    place = pool("cytosol", [1.0])
    c, d = Species("c", place, 1.0), Species("d", place)
    return QuasiStatic(Model([c, d], [Conversion(place, c, d, 1.0), Conversion(place, d, c, 1.0)]), (c,))


def microscope() -> Microscope:
    return Microscope(widefield(1.0), (0.5, 0.5, 0.5), (4, 4))


def movie() -> Movie:
    return Movie(np.full((9, 4, 4), 200, np.uint16), TIMES, 0.1, 100.0)


def seen() -> dict[str, Any]:
    dye = Indicator("dye", 1.0, 1.0, 1.0, 1.0, 0.1)
    free, bound = Species("free", ECS), Species("bound", ECS)
    camera = Camera(microscope(), dye, free, bound, 0.2)
    for t in camera.instants:
        camera.write(t, {free: np.ones(8), bound: np.ones(8)})
    return {"self": camera}


ANALYSIS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "buffered_domain.Domain.unbuffered": lambda: {"self": Domain(1.0), "r": RADII},
    **{f"buffered_domain.Domain.{name}": domain for name in ("excess_buffer", "rapid_buffer", "linear")},
    "buffered_domain.Domain.relaxation_length": lambda: {"self": Domain(1.0), "buffer": domain()["buffer"]},
    **{f"escape.{name}": lambda: {"place": ECS, "absorbing": np.array([0])} for name in
       ("escape_times", "mean_escape_time", "slowest_decay")},
    "gain.transfer": lambda: {"times": TIMES, "values": COURSE, "step": 1.0, "frequency": [1.0, 10.0]},
    "identifiability.sensitivities": lambda: {"outputs": doubled, "parameters": RADII},
    "identifiability.rank": lambda: {"sensitivity": DIRECTIONS},
    "identifiability.unseen": lambda: {"sensitivity": DIRECTIONS},
    "identifiability.Profile.interval": lambda: {"self": Profile(EDGES + 1, np.array([9.0, 0.0, 9.0]))},
    "identifiability.profile": lambda: {"outputs": doubled, "data": np.array([1.0, 2.0, 3.0]), "noise": 0.1,
                                        "best": RADII, "which": 0, "values": RADII},
    "iontophoresis.endless": lambda: {"r": RADII, "t": RADII, "alpha": 0.2, "tortuosity": 1.6},
    "iontophoresis.sealed_box": lambda: {
        "positions": np.full((1, 3), 0.5), "source": np.full(3, 0.4), "box": (np.zeros(3), np.ones(3)),
        "times": RADII, "alpha": 0.2, "tortuosity": np.full(3, 1.6)},
    "iontophoresis.fit": lambda: {"predict": lambda p: np.full(3, p[0]), "measured": np.ones(3), "start": {"a": 2.0}},
    "iontophoresis.fit_endless": lambda: {"distances": RADII, "times": TIMES + 0.1, "traces": np.ones((9, 2))},
    "microdomains.detect": lambda: {"place": ECS, "times": TIMES, "values": FIELD, "threshold": 0.5},
    "microdomains.rate": lambda: {"events": detect(ECS, TIMES, FIELD, 0.5), "duration": 1.0},
    "microdomains.rows": lambda: {"events": detect(ECS, TIMES, FIELD, 0.5)},
    "microdomains.locality": lambda: {"event": detect(ECS, TIMES, FIELD, 0.5)[0], "place": ECS, "times": TIMES,
                                      "values": FIELD},
    "microscope.PointSpread.width": lambda: {"self": widefield(1.0), "depth": RADII, "size": RADII},
    "microscope.PointSpread.collected": lambda: {"self": widefield(1.0), "depth": RADII, "size": RADII},
    "microscope.Microscope.view": lambda: {"self": microscope(), "place": ECS},
    "microscope.Camera.movie": seen,
    "microscope.Movie.elements": lambda: {"images": np.ones((2, 4, 4))},
    "microscope.record": lambda: {"microscope": microscope(), "times": TIMES, "expected": np.ones((9, 4, 4))},
    "microscope.delta_f_over_f": lambda: {"movie": movie(), "baseline": 10.0},
    "microscope.trace": lambda: {"movie": movie(), "region": np.ones((4, 4), bool), "baseline": (0.0, 0.5)},
    **{f"quasi_static.QuasiStatic.{name}": lambda: {"self": fast(), "u": np.ones(2)} for name in
       ("settled", "epsilon")},
    "quasi_static.QuasiStatic.course": lambda: {"self": fast(), "times": [0.0, 0.1]},
    "spread.Reach.duration": lambda: {"self": reach(ECS, TIMES, FIELD, 0.5, (0.0, 0.0, 0.0)), "distances": RADII},
    "spread.reach": lambda: {"place": ECS, "times": TIMES, "values": FIELD, "threshold": 0.5, "source": (0, 0, 0)},
    "spread.shares": lambda: {"place": ECS, "values": np.arange(8.0)},
    "spread.exposure": lambda: {"times": TIMES, "values": FIELD},
    "spread.fitted_length_constant": lambda: {"place": ECS, "values": 1 / np.arange(1.0, 9), "source": (0, 0, 0),
                                              "between": (0.0, 5.0)},
    "spread.mean_square_length": lambda: {"place": ECS, "values": np.ones(8), "source": (0, 0, 0)},
    "spread.largest_radius": lambda: {"threshold": 0.1, "volume_fraction": 0.2},
    "spread.apparent_diffusion": lambda: {"D": 100.0, "tortuosity": 1.6},
    "spread.reached": lambda: {"place": ECS, "values": FIELD, "positions": np.zeros((2, 3))},
    "spread.around": lambda: {"place": ECS, "source": (0, 0, 0), "radii": EDGES, "values": np.ones((4, 3))},
    "spread.overlap": lambda: {"place": ECS, "one": FIELD, "other": FIELD, "together": FIELD},
    "tortuosity.block": lambda: {"place": ECS, "lower": np.zeros(3), "upper": np.ones(3)},
    "tortuosity.steady_tortuosity": lambda: {"of": block(ECS)},
    "tortuosity.isotropic": lambda: {"tortuosity": np.full(3, 1.6)},
}

MECHANISMS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "de_young_keizer.state_species": lambda: {"parts": np.full(8, 0.125)},
    "denizot_ip3r.state_species": lambda: {"receptors": np.ones(8)},
    "ip3r_channels.at_rest": lambda: {"channels": np.array([1, 2])},
    "ip3r_channels.channel_species": lambda: {"where": ECS, "scheme": denizot(), "counts": np.ones((8, 8), int)},
    "uptake.baseline": lambda: {"loss": LOSS, "species": S},
}

SYNAPSES: Mapping[str, Callable[[], dict[str, Any]]] = {
    "excitability.MeanField.release": lambda: {"rate": RADII},
    "excitability.MeanField.drive": lambda: {"rate": RADII},
    "excitability.MeanField.holding": lambda: {"rate": RADII},
    "excitability.MeanField.response": lambda: {"frequency": RADII},
    "glutamate_receptors.Receptor.follow": lambda: {"times": TIMES, "glutamate": COURSE, "states": ["O"]},
    "plasticity.calcium_rule.time_above": lambda: {"instants": [0.1, 0.2], "jumps": [1.0, 1.0]},
    "postsynaptic.with_neurons": lambda: {"mesh": MESH, "neuron": [0]},
    "postsynaptic.Pattern.neurons": lambda: {"self": TONIC},
    "release.paired_pulse_ratio": lambda: {"U": 0.5, "interval": 0.1},
    "release.steady_release": lambda: {"U": 0.5},
    "spikes.bursts": lambda: {"count": 2, "size": 3, "rate": 100.0, "interval": 0.5, "start": 0.1},
    "spikes.regular": lambda: {"count": 3, "rate": 10.0, "start": 0.1},
    "spikes.poisson": lambda: {"rate": 10.0},
    "vesicles.draw": lambda: {"trains": (np.array([0.1]),), "vesicles": 4},
}

OBSERVED: Mapping[str, Callable[[], dict[str, Any]]] = {
    **{f"probes.{name}": lambda: {"species": C} for name in ("mean", "peak", "total", "each")},
    "probes.at": lambda: {"species": C, "positions": [(0.5, 0.5, 0.5)], "name": "here"},
    "probes.over": lambda: {"species": C, "points": ON_SYNAPSES},
    "probes.at_elements": lambda: {"species": C, "elements": [0, 3], "name": "some"},
    "probes.mean_around": lambda: {"species": C, "where": MESH["synapses"]},
    "probes.weighted_sum": lambda: {"weights": WEIGHED}, "probes.weighted_size": lambda: {"weights": WEIGHED},
    "probes.local": lambda: {"where": MESH["synapses"], "read": lambda c: c[C]},
}

GEOMETRY: Mapping[str, Callable[[], dict[str, Any]]] = {
    "bricks.graded_grid": lambda: {"name": "ecs", "edges": [EDGES, EDGES, EDGES[:2]], "volume_fraction": 0.2,
                                   "tortuosity": 1.6},
    "bricks.stretched_edges": lambda: {"lower": -1.0, "upper": 1.0, "spacing": 0.5, "reach": 2.0, "growth": 1.5},
    "grid.grid": lambda: {"name": "ecs", "lower": (0, 0, 0), "upper": (1, 1, 1), "spacing": 0.5,
                          "volume_fraction": 0.2, "tortuosity": 1.6},
    "grid.in_homogenised_tissue": lambda: {"mesh": CELL, "margin": 0.5, "spacing": 0.25},
    "shells.shells": lambda: {"name": "ecs", "edges": EDGES, "volume_fraction": 0.2, "tortuosity": 1.6},
    "shells.rings": lambda: {"name": "ecs", "radii": EDGES, "heights": EDGES, "volume_fraction": 0.2,
                             "tortuosity": 1.6},
    "shells.graded": lambda: {"first": 0.1, "last": 1.0, "growth": 1.5},
    "shapes.ball": lambda: {"radius": 0.5, "size": 0.5},
    "shapes.box": lambda: {"lengths": (1.0, 1.0, 1.0), "size": 0.5},
    "shapes.cylinder": lambda: {"radius": 0.5, "length": 1.0, "size": 0.5},
    "shapes.spine": lambda: {"head": 0.5, "neck": 0.2, "length": 1.0, "size": 0.4},
    "store.with_store": lambda: {"mesh": Mesh.of(grid("cytosol", (0, 0, 0), (1, 1, 1), 0.5))},
    "well_mixed.pool": lambda: {"name": "pool", "volumes": [1.0, 2.0], "centres": np.zeros((2, 3))},
    "well_mixed.well_mixed": lambda: {"volumes": {"cytosol": 1.0}, "membranes": {"m": (1.0, ["cytosol"])}},
    "clusters.cluster_sites": lambda: {"membrane": CELL["plasma membrane"]},
    "junctions.with_junctions_at": lambda: {"mesh": CELL_WITH_ER, "elements": np.array([0])},
    "discretise.discretise": lambda: {"shape": BALL}, "quality.quality_report": lambda: {"tets": BALL},
    "potential.cable": lambda: {"mesh": CELL, "membranes": ("plasma membrane",), "axis": (1.0, 0.0, 0.0)},
    "place.Mesh.of": lambda: {"places": (PLACE,)},
    "place.Mesh.with_places": lambda: {"self": CELL, "places": (ECS,)},
    "place.Mesh.with_points": lambda: {"self": MESH, "name": "more", "positions": [(0.5, 0.5, 0.5)],
                                       "touching": ["ecs"]},
    "place.Mesh.with_points_on": lambda: {"self": CELL, "name": "some", "membrane": "plasma membrane",
                                          "elements": np.array([0])},
    "place.Mesh.touching": lambda: {"self": MESH, "name": "synapses", "other": "ecs", "index": np.array([1])},
    "place.Place.contains": lambda: {"self": ECS, "positions": np.full((1, 3), 0.5)},
}

CALLS: Mapping[str, Callable[[], dict[str, Any]]] = {
    **{f"{room}.{name}": given for room, calls in (
        ("analysis", ANALYSIS), ("mechanisms", MECHANISMS), ("synapses", SYNAPSES), ("observe", OBSERVED),
        ("geometry", GEOMETRY)) for name, given in calls.items()},
    "model.Model.with_mechanisms": lambda: {"self": Model([S, GONE]), "mechanisms": (LOSS,)},
    "model.Model.without": lambda: {"self": Model([S, GONE], [LOSS]), "kinds": (Conversion,)},
    "simulate.simulate": lambda: {"model": Model([S, GONE], [LOSS]), "until": 1e-3, "watch": [mean(S)]},
}

IN_RATES = "a law within `rates`, called at each step with what the engine holds; the class checked its numbers"
CHECKED_BEFORE = "called by classes and functions here, with what they have checked"
CHECK = "itself a check of what a class or function was given"

EXEMPT: Mapping[str, str] = {
    **{f"mechanisms.{name}": IN_RATES for name in (
        "best1.Best1.open_probability", "ectonucleotidases.NTPDase.fluxes", "ectonucleotidases.CD73.flux",
        "exocytosis.Exocytosis.hazard", "exocytosis.contents", "hemichannel.Hemichannel.open_probability",
        "ion_leak.IonLeak.current", "ip3_degradation.IP3Degradation.kinase", "kir41.Kir41.current",
        "kir41.Kir41.openness", "kir41.Kir41.reversal", "mglur.GqReceptor.ending", "ncx.NCX.current",
        "ncx.NCX.reversal", "nkcc1.NKCC1.flux", "plc.PLCDelta.made", "pmca.PMCA.flux", "rapid_buffer.Slowed.less",
        "serca.SERCA.flux", "soce.StoreSensor.active", "sodium_potassium_pump.SodiumPotassiumPump.turnover",
        "uptake.Carrier.flux")},
    **{f"synapses.{name}": IN_RATES for name in (
        "excitability.Excitability.reversal", "excitability.Excitability.potential",
        "excitability.Excitability.rheobase", "excitability.phi", "population.Events.rounds",
        "population.Events.at_synapses", "population.events", "rate_release.turnover",
        "rate_release.RateRelease.steady", "receptors.release_probability", "receptors.coagonist_occupancy",
        "receptors.magnesium_block", "receptors.nmda_open", "spikes.Timetable.firing")},
    "laws.hill": IN_RATES, "laws.inhibition": IN_RATES, "units.nernst": IN_RATES, "units.thermal_voltage": IN_RATES,
    "model.gained": IN_RATES, "model.nothing": IN_RATES,
    **{f"model.{name}": "called by the engine with the mechanisms of a model" for name in
       ("adapted", "events_of", "laws_of")},
    **{f"synapses.{name}": CHECKED_BEFORE for name in (
        "spikes.Timetable.of", "plasticity.pairs.PairedSpikes.of", "network.trains_of")},
    "synapses.spikes.check_trains": CHECK, "synapses.plasticity.pairs.check_pairs": CHECK,
    "scenarios.parts.potassium_tissue.gains": IN_RATES,
    **{f"scenarios.parts.{name}": "called by reports with what they have made, such as axes of a figure" for name in (
        "release_report.draw_field", "release_report.colour_bar", "report.headline", "report.write")},
    **{f"geometry.{name}": CHECKED_BEFORE for name in (
        "contact.touched", "contact.to_concentration", "contact.per_measure", "contact.meet",
        "discretise.volume_place", "discretise.lumped", "grid.laid_through", "interpolate.among",
        "junctions.distances", "locate.in_bricks", "locate.in_cells", "open_boundary.outward", "place.spot",
        "place.Place.nearest", "place.Place.warn_of_crowd", "place.Place.position", "place.Place.is_same",
        "place.Place.chosen", "quality.radius_ratio", "quality.wrong_sign_edges", "shapes.gmsh_session",
        "shapes.mesh_volumes", "shapes.used_points", "shapes.positively_oriented", "surfaces.membranes",
        "surfaces.void_volumes", "tetrahedra.cell_volumes", "tetrahedra.triangle_areas", "tetrahedra.interfaces",
        "voxels.signed_depth", "tetrahedra.faces_of", "tetrahedra.face_pairs",
        "tetrahedra.triangle_keys", "filled.inside_of",
        "interpolate.neighbours", "load.sealed_membranes", "load.said_of_cuts",
        "tetrahedra.surface_labels", "tetrahedra.piece_labels", "tetrahedra.largest_first",
        "tortuosity.matrix", "tortuosity.conduction", "tortuosity.along_axes", "tripartite.Tripartite.clearance")},
    **{f"geometry.open_boundary.{name}": "what it needs of a mesh is tested in test_open_boundary" for name in (
        "far_permeability", "passage_permeability")},
    **{f"geometry.{name}": CHECK for name in (
        "contact.check_places", "contact.check_contact", "place.Place.check_contains",
        "load.check_extent", "tortuosity.checked")},
}

LONG: tuple[str, ...] = (
    "synapses.spike_files.read_spikes", "synapses.spike_files.write_spikes",
    "geometry.cleft.cleft", "geometry.tripartite.tripartite", "geometry.lumen.resolved_lumen",
    "geometry.converted.convert", "geometry.cropped.cropped", "geometry.filled.filled", "geometry.load.cleaned",
    "geometry.stump.with_stump", "geometry.load.load", "geometry.load.save", "geometry.blocks.cubic_cells",
    "geometry.blocks.sphere_octant", "geometry.blocks.sphere_lattice", "geometry.blocks.random_spheres",
    "geometry.open_boundary.outer_faces", "geometry.shapes.box_without_spheres", "geometry.shapes.ball_with_window",
    "geometry.tetrahedra.Tetrahedra.cells_of", "geometry.voxels.load_labels", "geometry.voxels.shrink_for",
    "geometry.potential.isopotential", "geometry.potential.cable", "geometry.junctions.with_junctions")
"""Functions whose valid calls are those of their own tests: here they only refuse what is no value."""

NAN_SAYS: Mapping[str, str] = {}
MEANT: Mapping[tuple[str, str, str], str] = {
    **{(name, "r", "wrong shape"): "six distances" for name in
       ("unbuffered", "excess_buffer", "rapid_buffer", "linear")},
    **{(name, "absorbing", "wrong shape"): "element 1, several times" for name in
       ("escape_times", "mean_escape_time", "slowest_decay")},
    ("transfer", "step", "-1"): "a step down", ("bound_at", "calcium", "wrong shape"): "Ca2+ at several places",
    **{("transfer", "frequency", bad): "any frequency" for bad in ("-1", "0", "wrong shape")},
    **{(name, "sensitivity", "wrong shape"): "two outputs, three parameters" for name in ("rank", "unseen")},
    ("strength", "current", "-1"): "inward", ("strength", "valence", "-1"): "an anion",
    **{("endless", "t", bad): "before the source opens" for bad in ("-1", "0")},
    ("endless", "off", "inf"): "it stays open", ("fit_endless", "off", "inf"): "it stays open",
    ("sealed_box", "positions", "wrong shape"): "two positions",
    ("sealed_box", "box", "wrong shape"): "two corners",
    ("fit", "measured", "wrong shape"): "traces of any shape, as predicted",
    **{(name, argument, "-1"): "levels may be negative" for name, argument in
       (("detect", "threshold"), ("detect", "rest"), ("locality", "rest"), ("shares", "threshold"),
        ("reached", "threshold"))},
    **{(name, "t", "-1"): "any time" for name in ("settled", "epsilon")},
    ("expected_synapses", "volume", "wrong shape"): "several",
    ("reached", "positions", "wrong shape"): "two positions",
    ("validity", "distance", "inf"): "any distance", ("at", "positions", "wrong shape"): "two positions",
    **{(name, "rate", "wrong shape"): "several" for name in ("release", "drive", "holding")},
    **{(name, "current", "-1"): "inhibition" for name in ("drive", "steady", "gain", "response", "neurons")},
    **{("response", "frequency", bad): "any frequency" for bad in ("-1", "wrong shape")},
    ("per_pair", "lag", "-1"): "the neuron fires first",
    **{("paired_pulse_ratio", name, "wrong shape"): "several" for name in ("U", "interval")},
    ("ion_flux", "current", "-1"): "inward", ("ion_flux", "valence", "-1"): "an anion",
    ("ion_flux", "current", "wrong shape"): "several",
    ("band", "values", "wrong shape"): "two seeds", ("charge", "side", "-1"): "outside",
    ("experiment", "current", "-1"): "inhibition", ("plane_of", "z", "-1"): "a position",
    **{("experiment", name, "wrong shape"): "several, as the mesh has" for name in ("current", "rate")},
    ("mechanisms", "receptors", "wrong shape"): "the places of the mesh say how many",
    **{(name, "synapses", "wrong shape"): "two positions" for name in ("to_process", "coverage", "tripartite")},
    ("changes", "slow", "wrong shape"): "several, as the bench has",
    ("calcium_changes", "lag", "-1"): "the neuron fires first", ("around", "values", "wrong shape"): "two instants",
    ("mechanisms", "post", "wrong shape"): "refused as the train of neuron 0",
    ("turned", "before", "-1"): "a change may be negative",
    ("write_spikes", "trains", "wrong shape"): "two trains of three spikes",
    ("stretched_edges", "lower", "-1"): "a position",
    ("contains", "positions", "wrong shape"): "two positions",
    ("with_points", "positions", "wrong shape"): "two positions",
    ("pool", "centres", "wrong shape"): "two positions",
}
