"""One release in neuropil: how far it is heard, for how long, by how many synapses, and what two do together.

    python examples/who_hears_one_release.py            every transmitter, with 1 and with 300 vesicles
    SPATIAL_QUICK=1 python examples/...                 one vesicle of D-serine
"""

import os
from dataclasses import replace

import numpy as np

from spatial.analysis.spread import largest_radius
from spatial.scenarios.spread.model import ATP, D_SERINE, GABA, GLUTAMATE, spread
from spatial.scenarios.spread.report import observe, two_sources
from spatial.scenarios.spread.settings import SpreadSettings
from spatial.units import ms, uM, um

quick = "SPATIAL_QUICK" in os.environ
settings = SpreadSettings(threshold=0.1)  # a receptor hears if it changes by 10 %
near = np.array([0.25]) * um

for transmitter in [D_SERINE] if quick else [D_SERINE, ATP, GLUTAMATE, GABA]:
    for vesicles in [1] if quick else [1, 300]:
        for heard in observe(spread(transmitter, replace(settings, vesicles=vesicles))):
            radius, lasts = heard.reach.largest / um, heard.reach.duration(near)[0] / ms
            print(f"{vesicles:4d} x {heard.name:48s} {radius:6.2f} um, {heard.synapses:9.3g} synapses, "
                  f"{lasts:7.1f} ms at 0.25 um, length constant {heard.theory / um:.2f} um")

alone = observe(spread(D_SERINE, settings))[0]
for apart in np.array([0.5, 1, 2]) * um:
    pair = two_sources(alone, apart)
    print(f"two D-serine vesicles {apart / um:g} um apart reach {pair.together / pair.one:.1f} times as much as one")

at_once = largest_radius(D_SERINE.vesicle, 0.29 * uM, settings.volume_fraction)
print(f"emptied at once and not cleared, D-serine would be above 0.29 uM within {at_once / um:.1f} um, "
      f"however fast it diffuses; it is within {alone.reach.largest / um:.1f} um")
