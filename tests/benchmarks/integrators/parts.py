"""A system taken apart: its reactions alone, and its diffusion alone. Both keep the layout of the whole."""

from dataclasses import replace

from scipy.sparse import csr_matrix

from spatial.model import Model
from spatial.system import System, assemble


def without_diffusion(system: System) -> System:
    """The reactions within elements and between places."""
    return replace(system, stiffness={name: csr_matrix(K.shape) for name, K in system.stiffness.items()})


def without_reactions(system: System) -> System:
    """Diffusion alone."""
    return assemble(Model(system.model.species))
