"""Receptors at the synapse: what the fields do to them, in closed form."""

import numpy as np

from spatial.geometry.place import Floats
from spatial.units import mM, uM

K_A1 = 0.6 * uM  # adenosine for half inhibition, hippocampus; M, range 0.6-3 (biophysics A11)
EC50_D_SERINE = 1.3 * uM  # NMDA receptor co-agonist site, GluN2A; M (biophysics A12)


def release_probability(resting: float, adenosine: Floats, K: float = K_A1) -> Floats:
    """(n,) U(a) = U0 / (1 + a/K): release probability under A1 receptors (biophysics A11)."""
    return resting / (1 + adenosine / K)


def coagonist_occupancy(d_serine: Floats | float, EC50: float = EC50_D_SERINE) -> Floats:
    """Occupancy of the NMDA receptor's co-agonist site, theta_co (biophysics A12)."""
    return np.asarray(d_serine / (d_serine + EC50))


def magnesium_block(V: Floats | float, magnesium: float = 1 * mM) -> Floats:
    """Part of NMDA receptors not blocked by Mg2+ at V [mV] (Jahr & Stevens 1990; biophysics A12)."""
    return np.asarray(1 / (1 + magnesium / (3.57 * mM) * np.exp(-0.062 * np.asarray(V))))


def nmda_open(glutamate: Floats, coagonist: Floats, V: Floats | float) -> Floats:
    """P_NMDA = theta_glu theta_co B(V), from the two occupancies and the potential [mV]."""
    return glutamate * coagonist * magnesium_block(V)
