"""Sealed against open cleft: a sweep over how much of the rim is open, sealed by an adhesion or by the astrocyte."""
