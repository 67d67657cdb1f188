"""Spread: vesicles of a transmitter empty at one point of neuropil; who hears it, how far off and for how long."""
