"""A user's own FiPy terms for a species: checked, and lifted into a matrix and a vector.

The terms stand on the right-hand side, TransientTerm == terms. On tetrahedra some transmissibilities are
negative; there a diffusion coefficient that jumps from link to link can make a diffusion that grows, in FiPy as
in the lifted matrix, while one that varies little between neighbours does not. FiPy is imported when first
used, not before.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, diags

from spatial._engine.operators.fipy_mesh import fipy_mesh, lift
from spatial.checks import InputError
from spatial.geometry.place import Floats, Place
from spatial.model import Terms

_SAME = 1e-9  # relative difference of two lifts of a linear term, from rounding
_DECADES = 3.0  # above and below a species' typical size, over which a term must be linear
_NO_NORMAL = "needs the direction of a link, and a link of a place has no normal of its own"


def own_terms(name: str, terms: Terms, variable: Any) -> Any:
    """The terms of the species `name`, made for its `CellVariable`.

    Raises `InputError` for what FiPy cannot do on control volumes, or what is not a term of a right-hand side.
    """
    from fipy.terms.term import Term

    made, whose = terms(variable), f"FiPy terms of {name!r}"
    if not isinstance(made, Term):
        raise InputError(f"{whose}: the function returned {type(made).__name__}; it must return FiPy terms, "
                         "such as DiffusionTerm(coeff=1.0, var=c)")
    for leaf in _leaves(made):
        wrong = _unfit(leaf, variable)
        if wrong:
            raise InputError(f"{whose}: {wrong}")
    return made


def lift_terms(name: str, terms: Terms, place: Place, typical: float) -> tuple[csr_matrix, Floats]:
    """The terms of the species `name` as a matrix (n, n) and a vector (n,): V dc/dt = matrix @ c + vector.

    `typical` is the size of the species, around which the terms are checked to be linear. Raises `InputError`
    where they are not, and for all that `own_terms` refuses.
    """
    try:
        mesh = fipy_mesh(place)
    except InputError as error:
        raise InputError(f"FiPy terms of {name!r}: {error}") from None
    from fipy import CellVariable

    variable = CellVariable(mesh=mesh, name=name)
    return _lift_linear(name, own_terms(name, terms, variable), variable, typical)


def _lift_linear(name: str, term: Any, variable: Any, typical: float) -> tuple[csr_matrix, Floats]:
    """Matrix and vector of a term that is checked to be linear.

    FiPy keeps some sources explicit, whose vector then goes with the value of each element: this slope is
    part of the matrix.
    """
    n = len(variable.value)
    spread = typical * 10.0 ** np.random.default_rng(0).uniform(-_DECADES, _DECADES, (2, n))
    matrix, constant = _lift_at(name, term, variable, np.zeros(n))
    slope = (_lift_at(name, term, variable, np.full(n, typical))[1] - constant) / typical
    for values in spread:
        again, vector = _lift_at(name, term, variable, values)
        size = np.abs(vector) + np.abs(constant) + np.abs(slope * values)
        if (abs(again - matrix).max() > _SAME * abs(matrix).max()
                or (np.abs(constant + slope * values - vector) > _SAME * size).any()):
            raise InputError(f"FiPy terms of {name!r} are not linear in it; only linear terms can be lifted, "
                             "write a rate that is not linear as a mechanism")
    return csr_matrix(matrix + diags(slope)), constant


def _lift_at(name: str, term: Any, variable: Any, values: Floats) -> tuple[csr_matrix, Floats]:
    """The lift of a term where its variable has these values, checked to be finite."""
    variable.setValue(values)
    try:
        with np.errstate(all="ignore"):
            matrix, vector = lift(term, variable)
    except Exception as error:
        raise InputError(f"FiPy terms of {name!r}: FiPy cannot assemble them: {error}") from error
    if not (np.isfinite(matrix.data).all() and np.isfinite(vector).all()):
        raise InputError(f"FiPy terms of {name!r} are not finite where it is {values.min():g} to {values.max():g}; "
                         "check their coefficients")
    return matrix, vector


def _leaves(term: Any) -> Iterator[Any]:
    """The single terms of a sum."""
    from fipy.terms.binaryTerm import _BinaryTerm

    if isinstance(term, _BinaryTerm):
        yield from _leaves(term.term)
        yield from _leaves(term.other)
    else:
        yield term


def _unfit(term: Any, variable: Any) -> str:
    """Why a single term cannot be added to a species; empty if it can."""
    from fipy import DiffusionTerm, ImplicitSourceTerm, TransientTerm
    from fipy.terms.abstractConvectionTerm import _AbstractConvectionTerm
    from fipy.terms.explicitSourceTerm import _ExplicitSourceTerm
    from fipy.terms.firstOrderAdvectionTerm import FirstOrderAdvectionTerm

    name = "an explicit source" if type(term) is _ExplicitSourceTerm else type(term).__name__
    if isinstance(term, TransientTerm):
        return "a TransientTerm is there already; return what stands on the right-hand side"
    if isinstance(term, _AbstractConvectionTerm | FirstOrderAdvectionTerm):
        return f"{name} {_NO_NORMAL}"
    if type(term) not in (DiffusionTerm, ImplicitSourceTerm, _ExplicitSourceTerm):
        return f"{name} cannot be added; DiffusionTerm, ImplicitSourceTerm and explicit sources can"
    if term.var is not variable:
        return f"{name} must be given var=c, the variable that the function is called with"
    if any("Grad" in type(one).__name__ or "AddOverFaces" in type(one).__name__ for one in _behind(term)):
        return f"a gradient or divergence in {name} {_NO_NORMAL}"
    if isinstance(term, DiffusionTerm) and _varies_with_direction(term.nthCoeff):
        return f"a coefficient of {name} that is a vector or a tensor {_NO_NORMAL}; give a number for each cell or face"
    return ""


def _varies_with_direction(coefficient: Any) -> bool:
    from fipy.variables.meshVariable import MeshVariable

    return bool(coefficient.rank if isinstance(coefficient, MeshVariable) else coefficient.shape)


def _behind(term: Any) -> Iterator[Any]:
    """Every FiPy variable that the coefficient of a term is computed from."""
    from fipy.variables.variable import Variable

    coefficients = term.coeff if isinstance(term.coeff, list | tuple) else [term.coeff]
    waiting = [one for one in coefficients if isinstance(one, Variable)]
    while waiting:
        yield waiting[-1]
        waiting += waiting.pop().requiredVariables
