"""Operators on one place or between two: diffusion, drift, point sources, jump rates, FiPy meshes and terms."""
