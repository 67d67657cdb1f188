"""FiPy on a place: a mesh whose cells are its control volumes and whose faces are its links.

FiPy's own DiffusionTerm then assembles the operator of `control_volumes`, so equations written as
FiPy terms are consistent on tetrahedra. FiPy is imported when first used, not before.
"""

import os
from functools import cache
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from spatial.checks import InputError
from spatial.geometry.place import Floats, Ints, Place


def fipy_mesh(place: Place) -> Any:
    """A `fipy.Mesh` of the n elements of a place: volume [um^3], face area / distance = transmissibility.

    It is sealed: no face is exterior, so what crosses a membrane is a source term. A link has no normal
    of its own, so FiPy's gradients and convection terms are not for it. Give `solve` a solver: the
    default is a direct one. Raises `InputError` where FiPy would divide by zero.
    """
    if len(place.links) == 0:
        raise InputError(f"place {place.name!r} has no links; FiPy needs a volume to diffuse in")
    i, j = place.links.T
    apart = np.linalg.norm(place.centres[j] - place.centres[i], axis=1)
    if (apart == 0).any():
        x, y, z = place.centres[i[np.argmin(apart)]]
        raise InputError(f"place {place.name!r} links two elements at one point, "
                         f"({x:.3g}, {y:.3g}, {z:.3g}) um; FiPy needs a distance between them")
    return _mesh_class()(place)


def with_scipy() -> None:
    """Have FiPy solve with SciPy unless the user chose otherwise: it decides when it is first imported."""
    os.environ.setdefault("FIPY_SOLVERS", "scipy")


def lift(term: Any, variable: Any) -> tuple[csr_matrix, Floats]:
    """Matrix (n, n) and vector (n,) of FiPy terms acting on a `CellVariable`, linearised at the variable's value.

    What each element gains is matrix @ c + vector [uM um^3/s]; that of `DiffusionTerm(coeff=D)` is
    -D * stiffness(place) @ c.
    """
    from fipy.solvers import DummySolver

    term.cacheMatrix()
    term.cacheRHSvector()
    term.justResidualVector(var=variable, solver=DummySolver(), dt=1.0)
    return csr_matrix(term.matrix.matrix, copy=True), -np.array(term.RHSvector, float)


def _faces_of_cells(links: Ints, n: int) -> Ints:
    """(most, n) faces of each cell, padded with -1."""
    cell = links.ravel()
    order = np.argsort(cell, kind="stable")
    degree = np.bincount(cell, minlength=n)
    first = np.cumsum(degree) - degree
    faces = np.full((degree.max(), n), -1)
    faces[np.arange(len(cell)) - np.repeat(first, degree), cell[order]] = order // 2
    return faces


@cache
def _mesh_class() -> type:
    """The subclass of `fipy.Mesh`: FiPy has no other way to be given areas, distances and volumes."""
    with_scipy()
    from fipy.meshes.mesh import Mesh

    class ControlVolumeMesh(Mesh):  # type: ignore[misc]
        """Control volumes as cells; each face lies halfway between the two centres that it joins."""

        def __init__(self, place: Place) -> None:
            self._place = place
            super().__init__(place.centres.T, place.links.T, _faces_of_cells(place.links, len(place)))

        def _calcFaceCellIDs(self) -> Any:
            return np.ma.array(self._place.links.T, mask=np.zeros(self._place.links.T.shape, bool))

        def _calcCellCenters(self) -> Any:
            return np.array(self._place.centres.T)

        def _calcCellVolumes(self) -> Any:
            return np.array(self._place.measure)

        def _calcFaceAreas(self) -> Any:
            across = self._place.centres[self._place.links]
            return self._place.transmissibility * np.linalg.norm(across[:, 1] - across[:, 0], axis=1)

        def _calcFaceNormals(self) -> Any:
            return self._cellDistanceVectors / self._cellDistances

        def _calcFaceTangents(self) -> Any:
            return np.zeros_like(self.faceNormals), np.zeros_like(self.faceNormals)

    return ControlVolumeMesh
