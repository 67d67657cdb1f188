"""What the scenario `protocols` can vary."""

from dataclasses import dataclass, field

import numpy as np

from spatial import checks
from spatial.geometry.place import Floats
from spatial.scenarios.parts.settings import Settings
from spatial.scenarios.protocols.bench import Bench
from spatial.scenarios.protocols.rate_curves import BCMTest
from spatial.synapses.spikes import bursts
from spatial.units import Hz, ms, s, uM

PAIRING, CLAMP, A1_BLOCK = "pairing", "clamp", "a1_block"
DEPRESSION, METAPLASTICITY, FREQUENCY = "depression", "metaplasticity", "frequency"
PROTOCOLS = (PAIRING, CLAMP, A1_BLOCK, DEPRESSION, METAPLASTICITY, FREQUENCY)


@dataclass(frozen=True)
class ProtocolSettings:
    """What is stimulated, when and how often."""

    only: str | None = None  # one protocol, by name
    seeds: int = 3  # runs of each that chance may change; choice
    pairs: int = 10  # of spikes; choice
    rate: float = 20 * Hz  # of pairs; choice
    lag: float = 10 * ms  # from one spike of a pair to the other
    first: float = 0.2 * s  # spike; choice
    settle: float = 3 * s  # after the last pair: eligibility and D-serine fade; choice
    d_serine_added: float = 10 * uM  # in the bath; Henneberger 2010, M
    bursts: int = 3  # of intense activity; choice
    burst: int = 5  # spikes of each; choice
    burst_rate: float = 50 * Hz  # choice
    burst_interval: float = 1 * s  # choice
    gap: float = 50 * ms  # between two test pulses; choice
    tests: tuple[float, ...] = (5 * s, 15 * s)  # of test pulses, after the last burst; choice
    recovery: float = 30 * s  # after the last burst; choice
    rates: tuple[float, ...] = (5 * Hz, 50 * Hz)  # of pairs, besides `rate`; choice
    many: int = 60  # pairs under the Ca2+-based rule; Graupner & Brunel 2012, M
    bcm: BCMTest = field(default=BCMTest())
    test: float = 20 * Hz  # of the BCM rule, that potentiates before intense activity; choice
    delays: tuple[float, ...] = (10 * s, 30 * s, 60 * s, 120 * s, 300 * s, 600 * s)  # of tests, after the last burst
    bench: Bench = field(default=Bench())
    tripartite: Settings = field(default=Settings())

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("seeds", "rate", "pairs", "many", "test", "settle", "recovery", "bursts",
                                            "burst", "burst_rate", "burst_interval", "gap"))
        if self.only not in (None, *PROTOCOLS):
            raise checks.InputError(f"there is no protocol {self.only!r}; there is {', '.join(PROTOCOLS)}")
        for name in ("rates", "tests", "delays"):
            if not all(np.isfinite(one) and one > 0 for one in getattr(self, name)):
                raise checks.InputError(f"ProtocolSettings: each of {name} must be a finite number > 0")
        if not self.lag < self.first:
            raise checks.InputError(f"ProtocolSettings: lag is {self.lag:g} s; it must be shorter than the time before "
                                    f"the first spike, {self.first:g} s")
        if not max(self.tests) + self.gap < self.recovery:
            raise checks.InputError(f"ProtocolSettings: the last test pulses come {max(self.tests):g} s after the last "
                                    f"burst; the run must go on for longer, recovery is {self.recovery:g} s")

    @property
    def chosen(self) -> tuple[str, ...]:
        """The protocols that are run."""
        return PROTOCOLS if self.only is None else (self.only,)

    @property
    def intense(self) -> Floats:
        """The spikes of the bursts [s], the first after a pair of test pulses."""
        return bursts(self.bursts, self.burst, self.burst_rate, self.burst_interval, self.first + self.gap)

    @property
    def last_burst(self) -> float:
        """When the last burst ends [s]."""
        return float(self.intense[-1])
