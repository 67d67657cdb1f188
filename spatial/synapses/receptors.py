"""Receptors at the synapse: what the fields do to them, in closed form."""

import numpy as np

from spatial.geometry.place import Floats
from spatial.units import mM, uM

K_A1 = 0.6 * uM  # adenosine for half inhibition, hippocampus; M, range 0.6-3 (biophysics A11)
EC50_D_SERINE = 1.3 * uM  # NMDA receptor co-agonist site, GluN2A; M (biophysics A12)
EC50_D_SERINE_2B = 0.65 * uM  # the same, GluN2B; M (biophysics A12)
EC50_GLYCINE = 2.1 * uM  # the same, glycine, GluN2A; M (biophysics A12)
EC50_GLYCINE_2B = 0.72 * uM  # the same, glycine, GluN2B; M (biophysics A12)


def release_probability(resting: float, adenosine: Floats, K: float = K_A1, n: float = 1.0,
                        most: float = 1.0) -> Floats:
    """(n,) release probability under A1 receptors, U0 (1 - most a^n/(K^n + a^n)); by default U0/(1 + a/K).

    `adenosine` is (n,) uM, `most` the inhibition at full occupancy (biophysics A11).
    """
    bound = (np.asarray(adenosine) / K) ** n
    return resting * (1 - most + most / (1 + bound))


def coagonist_occupancy(d_serine: Floats | float, EC50: float = EC50_D_SERINE, glycine: Floats | float = 0.0,
                        EC50_glycine: float = EC50_GLYCINE, sites: float = 1.0) -> Floats:
    """Occupancy of the NMDA receptor's co-agonist sites, theta_co (biophysics A12).

    theta = b/(1 + b) with b = D/EC50 + G/EC50_glycine at one site; `sites` of them must be taken: theta^sites,
    1 for the occupancy of a site, 2 for both of a receptor. All concentrations in uM.
    """
    bound = d_serine / EC50 + glycine / EC50_glycine
    return np.asarray((bound / (1 + bound)) ** sites)


def magnesium_block(V: Floats | float, magnesium: float = 1 * mM) -> Floats:
    """Part of NMDA receptors not blocked by Mg2+ at V [mV] (Jahr & Stevens 1990; biophysics A12)."""
    return np.asarray(1 / (1 + magnesium / (3.57 * mM) * np.exp(-0.062 * np.asarray(V))))


def nmda_open(glutamate: Floats, coagonist: Floats, V: Floats | float) -> Floats:
    """P_NMDA = theta_glu theta_co B(V), from the two occupancies and the potential [mV]."""
    return glutamate * coagonist * magnesium_block(V)
