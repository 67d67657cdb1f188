"""Does an astrocyte quiet the network it lives in? 120 neurons of Brian2 on one astrocyte's domain, 60 um across.

    python examples/network_on_an_astrocyte.py       with and without A1 receptors, a minute; needs the extra 'network'
    SPATIAL_QUICK=1 python examples/...              a coarse grid for a fraction of a second

What terminals release has the astrocyte let out adenosine within a second or so, which spreads, and lowers release
at every terminal it reaches. Spikes let K+ out around their neuron, which makes neurons nearby fire more easily.
Drive and weights are chosen so that the network bursts, which needs release to be likely. Most other choices showed
far less, such as 3.3 Hz instead of 3.7: strongly depressed synapses hardly depend on their release probability.
"""

import os
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

import spatial as sp
from spatial.mechanisms.adenosine_transport import AdenosineUptake
from spatial.mechanisms.exocytosis import Emptying
from spatial.mechanisms.potassium_uptake import PotassiumUptake
from spatial.output.figures import COLOURS, GREY, figure_of, save, style
from spatial.synapses.brian2_loader import load_brian2
from spatial.synapses.network import BrianNetwork, CoSimulation, Heard, LetOut, count, counting, hearing
from spatial.synapses.potassium_release import LEAST
from spatial.synapses.receptors import K_A1
from spatial.units import Hz, mM, molecule, ms, s, um, um2

QUICK = "SPATIAL_QUICK" in os.environ
WINDOW = 60 * ms
DURATION = (2 if QUICK else 100) * WINDOW
SIDE, SPACING = 60 * um, (15 if QUICK else 5) * um
EXCITATORY, INHIBITORY, DRIVEN = 96, 24, 32  # neurons; choice
STIMULUS = (0.4 * s, 5.4 * s)  # when the driven ones are
SYNAPSES = 1.69  # per um^3 of neuropil; biophysics A15
ADENOSINE = 20 * molecule  # for all that a synapse can release; choice, 12 per spike at a release probability of 0.6
MEMBRANE = 500 * um2  # of a neuron's body; choice

NEURONS = """
dv/dt = (rest + drive + excitation - inhibition - v)/(20*ms) + 4*xi*(10*ms)**-0.5 : 1 (unless refractory)
rest = -66 + 2.6*(potassium/1000 - 3) : 1
dexcitation/dt = -excitation/(5*ms) : 1
dinhibition/dt = -inhibition/(10*ms) : 1
drive = 6*int(i < driven)*int(t >= start)*int(t < stop) : 1
"""  # potentials in mV; choice, so that the network bursts
TERMINALS = """
du/dt = -3.33/second * u : 1 (event-driven)
dx/dt = 2/second * (1 - x) : 1 (event-driven)
U = 0.6/(1 + adenosine/K_A1) : 1
"""
SPIKE = "u += U*(1 - u)\n" + count("adenosine", "u*x") + "excitation_post += 60*u*x\nx -= u*x\n"


@dataclass(frozen=True)
class Network:
    """120 neurons, sorted by where they are along x, and their terminals."""

    partner: BrianNetwork
    spikes: Any  # SpikeMonitor
    release: Any  # StateMonitor of the release probability of each terminal
    sites: np.ndarray  # (n, 3) um, of the terminals and of the neurons
    driven: np.ndarray  # (terminals,) whose neuron is driven


def network(b2: Any, blocked: bool) -> Network:
    """The network, with its A1 receptors blocked or not."""
    b2.seed(1)
    b2.defaultclock.dt = 0.5 * b2.ms
    rng = np.random.default_rng(1)
    inside = SIDE / 2 - SPACING / 2
    cells = rng.uniform(-inside, inside, (EXCITATORY + INHIBITORY, 3))
    cells[:EXCITATORY] = cells[np.argsort(cells[:EXCITATORY, 0])]
    neurons = b2.NeuronGroup(len(cells), NEURONS + hearing("potassium") + counting("spikes"), threshold="v > -50",
                             reset="v = -60\n" + count("spikes"), refractory=3 * b2.ms, method="euler")
    neurons.v = "-70 + 15*rand()"
    terminals = b2.Synapses(neurons, neurons, TERMINALS + hearing("adenosine") + counting("adenosine"), on_pre=SPIKE)
    terminals.connect(condition=f"i < {EXCITATORY} and i != j", p=0.15)
    terminals.x = 1
    inhibition = b2.Synapses(neurons, neurons, on_pre="inhibition_post += 6")
    inhibition.connect(condition=f"i >= {EXCITATORY}", p=0.3)
    spikes = b2.SpikeMonitor(neurons)
    release = b2.StateMonitor(terminals, "U", record=True, dt=WINDOW * b2.second)
    ends = np.clip(cells[terminals.i] + rng.normal(0, 6 * um, (len(terminals), 3)), -inside, inside)
    constants = {"driven": DRIVEN, "start": STIMULUS[0] * b2.second, "stop": STIMULUS[1] * b2.second,
                 "K_A1": 1e12 if blocked else K_A1}
    everything = b2.Network(neurons, terminals, inhibition, spikes, release)
    return Network(BrianNetwork(everything, (terminals, neurons), constants), spikes, release,
                   np.concatenate([ends, cells]), np.array(terminals.i) < DRIVEN)


def run(net: Network) -> sp.Recording:
    """The network in its tissue."""
    half = np.full(3, SIDE / 2)
    tissue = sp.grid("ecs", -half, half, SPACING, volume_fraction=0.2, tortuosity=1.6)
    mesh = sp.Mesh.of(tissue, sp.pool("astrocyte", [1.0])).touching("ecs", "astrocyte", np.zeros(len(tissue), int))
    mesh = mesh.with_points("sites", net.sites, touching=["ecs"])
    ecs, sites, cell = mesh["ecs"], mesh["sites"], mesh["astrocyte"]
    adenosine, potassium = sp.Species("adenosine", ecs, D=600), sp.Species("K+", ecs, 3 * mM, D=1960)
    taken, kept = sp.Species("adenosine taken", cell, scale=1e4), sp.Species("K+ taken", cell, signed=True, scale=1e6)
    coming, last, pending = ([sp.Species(f"{name} {when}", sites) for name in ("adenosine", "K+")]
                             for when in ("to come", "at the last exchange", "for the next"))
    stands_for = SYNAPSES * SIDE**3 / len(net.driven)  # synapses of the domain, by terminal
    exchange = CoSimulation(
        sites, net.partner, WINDOW, DURATION,
        (Heard("adenosine", adenosine, last[0]), Heard("potassium", potassium, last[1])),
        (LetOut("adenosine", coming[0], pending[0], each=stands_for * ADENOSINE),
         LetOut("spikes", coming[1], pending[1], each=MEMBRANE * LEAST)))
    model = sp.Model([adenosine, potassium, taken, kept, *coming, *last, *pending], [
        Emptying(sites, coming[0], adenosine, tau=1 * s), AdenosineUptake(ecs, adenosine, taken),
        Emptying(sites, coming[1], potassium, tau=100 * ms),
        PotassiumUptake(ecs, potassium, kept, rest=3 * mM, rate=2 / s), exchange])
    return sp.simulate(model, DURATION, [sp.over(one, coming[0]) for one in (adenosine, potassium)], every=WINDOW / 2,
                       at_events=True)


def rate(net: Network, start: float, stop: float) -> float:
    """Spikes per neuron and second [Hz] between two times."""
    t = net.spikes.t_[:]
    return float(((t >= start) & (t < stop)).sum()) / (stop - start) / (EXCITATORY + INHIBITORY)


def draw_spikes(axes: Any, net: Network, title: str) -> None:
    """A line for each spike, in the colour of what kind of neuron it is of."""
    of, t = net.spikes.i[:], net.spikes.t_[:]
    groups = [("driven", 0, DRIVEN, COLOURS[1]), ("not driven", DRIVEN, EXCITATORY, COLOURS[0]),
              ("inhibitory", EXCITATORY, EXCITATORY + INHIBITORY, GREY)]
    for name, low, high, colour in groups:
        here = (of >= low) & (of < high)
        axes.plot(t[here], of[here], "|", color=colour, ms=3.5, mew=0.9)
        axes.text(1.01, (low + high) / 2, name, color=colour, va="center", transform=axes.get_yaxis_transform())
    axes.set_ylim(-1, EXCITATORY + INHIBITORY)
    axes.set_ylabel("neuron")
    axes.set_title(title)


def draw(net: Network, blocked: Network, recording: sp.Recording) -> None:
    """Spikes with and without A1 receptors; adenosine and release probability with them."""
    adenosine, U = recording["adenosine at sites"][:, :len(net.driven)], net.release.U[:]
    curves = [("adenosine\n[µM]", recording.times, adenosine.T), ("release\nprobability", net.release.t_[:], U)]
    with style():
        figure = figure_of(10.5, 9.6)
        rows = figure.subplots(4, 1, sharex=True, gridspec_kw={
            "left": 0.11, "right": 0.79, "top": 0.95, "bottom": 0.07, "hspace": 0.24,
            "height_ratios": [1.3, 1.3, 1, 1]})
        draw_spikes(rows[0], net, "An astrocyte's adenosine makes bursts of this network rarer")
        draw_spikes(rows[1], blocked, "A1 receptors blocked")
        for axes, (label, times, values) in zip(rows[2:], curves, strict=True):
            means = [("at driven terminals", COLOURS[1], values[net.driven].mean(axis=0)),
                     ("at the others", COLOURS[0], values[~net.driven].mean(axis=0))]
            for height, (name, colour, mean) in zip((0.36, 0.64), sorted(means, key=lambda one: one[2][-1]),
                                                    strict=True):
                axes.plot(times, mean, color=colour)
                axes.text(1.01, height, name, color=colour, va="center", transform=axes.transAxes)
            axes.set_ylabel(label)
            axes.set_ylim(bottom=0)
        for axes in rows:
            axes.axvspan(*STIMULUS, color=GREY, alpha=0.12, lw=0)
        rows[-1].set_xlabel("time [s]")
        rows[-1].set_xlim(0, DURATION)
        save(figure, "network_on_an_astrocyte.png")


try:
    brian2 = load_brian2()
except sp.InputError as error:
    print(error)
    sys.exit()
brian2.prefs.codegen.target = "numpy"  # needs no compiler

with_it, without = network(brian2, blocked=False), network(brian2, blocked=True)
recording = run(with_it)
run(without)
late = DURATION / 2, min(DURATION, STIMULUS[1])
print(f"{EXCITATORY + INHIBITORY} neurons, {len(with_it.driven)} terminals, {with_it.spikes.num_spikes} spikes")
print(f"adenosine rises to {recording['adenosine at sites'].max():.2f} uM, K+ to "
      f"{recording['K+ at sites'].max() / mM:.2f} mM")
print(f"release probability falls from 0.6 to {with_it.release.U[:].min():.2f}")
print(f"firing late in the stimulus: {rate(with_it, *late) / Hz:.1f} Hz, with A1 receptors blocked "
      f"{rate(without, *late) / Hz:.1f} Hz")
draw(with_it, without, recording)
