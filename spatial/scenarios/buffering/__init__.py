"""Spatial buffering: K+ enters the astrocytes of a slab where it is high, and leaves them where it is low."""
