"""Pictures in 3D for a talk: a microdomain on its cell, a transmitter in the space around synapses."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spatial import checks
from spatial.checks import InputError
from spatial.geometry.place import Floats, Ints, Place
from spatial.geometry.tetrahedra import OUTSIDE, interfaces
from spatial.output.drawn import bricks_of, drawn, faces, is_of_faces, outer_faces_of
from spatial.output.figures import CHANGE_MAP, figure_of, pretty, save, style
from spatial.output.gl import check_rendering

if TYPE_CHECKING:
    import pyvista
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 1600, 1200  # pixels
SCENE = 0.8  # part of the width that the scene takes; the colour bar has the rest
BAR = (0.82, 0.17, 0.03, 0.5)  # where the colour bar stands: left, bottom, width, height
NIGHT, PAPER = "#0b0f17", "#e8edf4"
CALCIUM_MAP, FIELD_MAP = "inferno", "viridis"
_DARKEST = 0.16  # part of a colour map left out, since it could not be told from the ground
ACTIVE, SILENT = "#ff4f8b", "#e8edf4"
BOUTON, SPINE, ASTROCYTE, ER = "#7aa6d8", "#d8b37a", "#c9a0e0", "#7ee0a0"  # for the caller's shapes
_DARK = {"figure.facecolor": NIGHT, "savefig.facecolor": NIGHT, "text.color": PAPER, "font.size": 13,
         "axes.labelcolor": PAPER, "axes.edgecolor": PAPER, "ytick.color": PAPER}
_LOGARITHMIC = 10.0  # ratio of largest to smallest value from which the scale is logarithmic
_SKIN: dict[str, Any] = {"smooth_shading": True, "ambient": 0.3, "diffuse": 0.75, "specular": 0.25,
                         "specular_power": 25}
_GLASS = _SKIN | {"ambient": 0.6, "diffuse": 0.5}
_VALUES = _SKIN | {"ambient": 0.5, "diffuse": 0.55, "specular": 0.15}  # flatter, to be read on the bar


@dataclass(frozen=True, eq=False)
class Shape:
    """A surface shown for orientation: triangles (k, 3) over points (n, 3) um, and how it looks.

    Its name, if it has one, is written in its colour on the picture.
    """

    points: Floats
    triangles: Ints
    colour: str
    opacity: float = 1.0
    name: str = ""

    def __post_init__(self) -> None:
        checks.kinds(self)

    @classmethod
    def of(cls, place: Place, colour: str, opacity: float = 1.0, name: str = "") -> "Shape":
        """The surface of a place of tetrahedra or bricks (walls of cavities too), or the membrane that a place is.

        Of a membrane that is spread through a volume it is the surface of that. Faces of voxels have both sides.
        """
        points, triangles, _ = skin_of(place)
        return cls(points, triangles, colour, opacity, name)


def skin_of(place: Place) -> tuple[Floats, Ints, Ints]:
    """Points (p, 3) um, (k, 3) triangles and the element of each point (p,), of the surface of a place.

    Raises `InputError` for a place that has neither tetrahedra, triangles nor bricks.
    """
    if not len(place.sides):
        return place.centres, surface(place), np.arange(len(place))
    if is_of_faces(place):
        points, element, ((_, quads),) = faces(place.centres, place.sides)
        return points, np.concatenate([_halved(quads), _halved(quads)[:, ::-1]]), element
    points, quads, element = outer_faces_of(place)
    return points, _halved(quads), element


def _halved(quads: Ints) -> Ints:
    """(2 k, 3) triangles of (k, 4) faces."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def surface(place: Place) -> Ints:
    """(k, 3) the triangles of a membrane, or those around a place of tetrahedra, pointing outwards.

    Raises `InputError` for a place that has neither.
    """
    corners = place.cells.shape[1] if len(place.cells) else 0
    if corners == 3:
        return place.cells
    if corners == 4:
        label = np.zeros(len(place.cells), np.int64)
        return interfaces(place.cells, label, [place.name])[place.name, OUTSIDE]
    raise InputError(f"place {place.name!r} has neither tetrahedra nor triangles: it has no surface to draw")


def microdomain(path: str | Path, place: Place, values: Floats, label: str,
                others: Sequence[Shape] = (), synapses: Floats | None = None, opened: bool = False) -> None:
    """Draw a concentration on the surface of a place of tetrahedra or voxels, among other shapes.

    `values` (n,) over the place's elements, `label` the title of the colour bar with its unit,
    `synapses` (k, 3) um as small balls, the first one (the active one) highlighted. `opened` cuts the
    place through its highest value, to show what is inside. The scale is logarithmic where the values
    span more than a factor 30. The picture is framed on the place, the active synapse at its side.
    Raises `InputError` if the place has no tetrahedra or `values` does not fit it.
    """
    _check(place, values, corners=(4,))
    scale = _scale(values)
    points, triangles, element = skin_of(place)
    seen, hottest = points[np.unique(triangles)], place.centres[int(np.argmax(values))]
    aside = hottest if synapses is None else synapses[0]
    toward = _facing(seen, hottest, aside)
    plotter = _plotter()
    skin = _polydata(points, triangles)
    skin["shade"] = scale(values[element])
    if opened:
        grid = _grid(place, values, scale, whole=True)
        skin = grid.clip(normal=toward, origin=hottest).extract_surface(algorithm="dataset_surface")
    plotter.add_mesh(skin, scalars="shade", clim=(0, 1), cmap=_colours(CALCIUM_MAP), show_scalar_bar=False,
                     split_sharp_edges=opened, **_VALUES)
    _add_shapes(plotter, others, toward)
    if synapses is not None:
        radius = 0.02 * float(np.ptp(seen, axis=0).max())
        _add_balls(plotter, synapses[:1], radius, ACTIVE)
        _add_balls(plotter, synapses[1:], radius, SILENT)
    height = _look(plotter, np.vstack([seen, aside]), toward)
    legend = [] if synapses is None else [("active synapse", ACTIVE)]
    _compose(path, plotter, height, scale, _colours(CALCIUM_MAP), label, legend + _names(others))


def field_around(path: str | Path, place: Place, values: Floats, label: str, synapses: Floats,
                 active: NDArray[np.bool_], others: Sequence[Shape] = (),
                 toward: tuple[float, float, float] = (0.25, -1.0, 0.25)) -> None:
    """Draw a field in a volume as a slice through the active synapse, with cells and synapses around it.

    `values` (n,) over the elements of tetrahedra or bricks, `synapses` (k, 3) um as balls coloured by the
    field there, `active` (k,) the ones highlighted. The slice is normal to y; the viewer is in the
    direction `toward`. Shapes are cut open at the slice where the place leaves room for them
    (tetrahedra), and stand whole where it lies over them (bricks). The picture is framed on the synapses,
    and so are the colours. Raises `InputError` if `values` does not fit the place or it is no volume.
    """
    _check(place, values, corners=(4, 8))
    focus = synapses[active][0] if active.any() else synapses.mean(axis=0)
    radius = 1.08 * float(np.abs(synapses - focus).max(initial=0.0)) or 1.0
    near = np.abs(place.centres - focus).max(axis=1) < radius
    scale = _scale(values[near] if near.any() else values)
    plotter = _plotter()
    normal = np.array([0.0, np.sign(toward[1]) or 1.0, 0.0])
    grid = _grid(place, values, scale)
    bounds = [float(c + side * radius) for c in focus for side in (-1, 1)]
    cut = grid.slice(normal=normal, origin=focus).clip_box(bounds, invert=False)
    plotter.add_mesh(cut, scalars="shade", clim=(0, 1), cmap=_colours(FIELD_MAP), show_scalar_bar=False,
                     lighting=False, opacity=0.85)
    _add_shapes(plotter, others, np.asarray(toward), None if place.cells.shape[1] == 8 else (normal, focus))
    shades = scale(values)[place.nearest(synapses)]
    _add_balls(plotter, synapses[~active], 0.035 * radius, SILENT, shades[~active])
    _add_balls(plotter, synapses[active], 0.035 * radius, ACTIVE)
    corners = focus + radius * np.array([[x, 0, z] for x in (-1, 1) for z in (-1, 1)])
    height = _look(plotter, np.vstack([corners, synapses]), np.asarray(toward))
    legend = [("active synapse", ACTIVE)] * bool(active.any()) + [("other synapses", SILENT)]
    _compose(path, plotter, height, scale, _colours(FIELD_MAP), label, legend + _names(others))


def changes_around(path: str | Path, synapses: Floats, values: Floats, label: str, active: NDArray[np.bool_],
                   others: Sequence[Shape] = (), said: str = "active synapse",
                   toward: tuple[float, float, float] = (0.25, -1.0, 0.35)) -> None:
    """Draw what changed at each synapse as a ball of that colour, among cells that stand whole.

    `synapses` (k, 3) um, `values` (k,) what changed, `label` the title of the colour bar with its unit, `active` (k,)
    those that fired: they have a colour of their own, for what happened to them is off the scale, and the legend says
    of them what is `said`. Colours begin at no change, brighter for more, and diverge from it if some changes are up
    and some down. Raises `InputError` if the arrays differ in length.
    """
    if not len(synapses) == len(values) == len(active):
        raise InputError(f"{len(synapses)} synapses have {len(values)} changes and {len(active)} marks; each must have "
                         "one")
    scale, colours = from_zero(values[~active] if (~active).any() else values)
    plotter = _plotter()
    _add_shapes(plotter, others, np.asarray(toward))
    radius = 0.022 * float(np.ptp(synapses, axis=0).max()) + 0.03
    _add_balls(plotter, synapses[~active], radius, SILENT, scale(values[~active]), colours)
    _add_balls(plotter, synapses[active], 1.25 * radius, ACTIVE)
    height = _look(plotter, np.vstack([synapses, *(shape.points for shape in others)]), np.asarray(toward))
    _compose(path, plotter, height, scale, colours, label, [*_names(others), (said, ACTIVE)])


def _check(place: Place, values: Floats, corners: tuple[int, ...]) -> None:
    """Raise `InputError` unless the place has cells of these numbers of corners, and a value per element."""
    if not len(place.sides) and (not len(place.cells) or place.cells.shape[1] not in corners):
        raise InputError(f"place {place.name!r} cannot be drawn as a volume: it has no "
                         f"{' or '.join({4: 'tetrahedra', 8: 'bricks'}[k] for k in corners)}")
    if values.shape != (len(place),):
        raise InputError(f"the values to draw on {place.name!r} have shape {values.shape}, "
                         f"not {(len(place),)}")


def _scale(values: Floats) -> "Normalize":
    """From values to 0..1: logarithmic if they are positive and span a wide range, else linear."""
    from matplotlib.colors import LogNorm, Normalize

    low, high = np.percentile(values, 1.0), values.max()
    if low > 0 and high / low > _LOGARITHMIC:
        return LogNorm(low, high, clip=True)
    lowest = float(values.min())
    return Normalize(lowest, high if high > lowest else lowest + (abs(lowest) or 1.0), clip=True)


def from_zero(values: Floats) -> "tuple[Normalize, Colormap]":
    """A linear scale that begins at 0, brightest where values are farthest from it; diverging if there are both signs.

    The diverging one is as long to both sides.
    """
    import matplotlib
    from matplotlib.colors import Normalize

    low, high = float(min(values.min(), 0.0)), float(max(values.max(), 0.0))
    if low < 0 < high:
        most = max(-low, high)
        return Normalize(-most, most), matplotlib.colormaps[CHANGE_MAP]
    colours = _colours(FIELD_MAP)
    return Normalize(low, high if high > low else low + 1.0), colours.reversed() if low < 0 else colours


def _colours(name: str) -> "Colormap":
    """A perceptually uniform colour map without its darkest end."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    return ListedColormap(matplotlib.colormaps[name](np.linspace(_DARKEST, 1.0, 256)))


def _plotter() -> "pyvista.Plotter":
    """An off-screen scene on a dark ground, lit from three sides; `InputError` where none can be drawn."""
    check_rendering()
    import pyvista

    plotter = pyvista.Plotter(off_screen=True, window_size=[int(SCENE * WIDTH), HEIGHT], lighting="light kit")
    plotter.set_background(NIGHT)
    plotter.enable_anti_aliasing("ssaa")
    plotter.enable_depth_peeling(8)
    plotter.enable_parallel_projection()
    return plotter


def _polydata(points: Floats, triangles: Ints) -> "pyvista.PolyData":
    """Triangles as pyvista has them."""
    import pyvista

    return pyvista.PolyData.from_regular_faces(points, triangles)


def _grid(place: Place, values: Floats, scale: "Normalize", whole: bool = False) -> "pyvista.UnstructuredGrid":
    """A place of tetrahedra or bricks as pyvista has it, with the shade of each value (n,).

    Between the centres of bricks values are smooth; `whole` bricks have one value each.
    """
    import pyvista

    shown = bricks_of(place, np.arange(len(place))) if whole and len(place.sides) else drawn(place)
    assert shown is not None
    grid = pyvista.UnstructuredGrid(dict(shown.cells), shown.points)
    grid["shade"] = scale(values[shown.element])
    return grid


def _add_shapes(plotter: "pyvista.Plotter", shapes: Sequence[Shape], toward: Floats, cut: Any = None) -> None:
    """The shapes, or what of them lies behind a plane given by (normal towards the viewer, origin).

    Translucent ones look like glass: clear where they face the viewer, denser towards their rim.
    """
    from matplotlib.colors import to_rgb

    for shape in shapes:
        mesh = _polydata(shape.points, shape.triangles).compute_normals(split_vertices=False)
        if cut is not None:
            mesh = mesh.clip(normal=cut[0], origin=cut[1])
        if shape.opacity == 1.0 or not mesh.n_points:
            plotter.add_mesh(mesh, color=shape.colour, **_SKIN)
            continue
        facing = np.abs(mesh.point_data["Normals"] @ (toward / np.linalg.norm(toward)))
        alpha = (shape.opacity * (0.6 + 2.4 * (1 - facing) ** 2)).clip(0, 1)
        mesh["rgba"] = np.column_stack([np.tile(to_rgb(shape.colour), (len(alpha), 1)), alpha])
        plotter.add_mesh(mesh, scalars="rgba", rgba=True, culling="back", **_GLASS)


def _add_balls(plotter: "pyvista.Plotter", positions: Floats, radius: float, colour: str,
               shades: Floats | None = None, colours: "Colormap | None" = None) -> None:
    """A small ball at each position, of one colour, or in colours by shades in 0..1 with an outline."""
    import pyvista

    if not len(positions):
        return
    points = pyvista.PolyData(np.asarray(positions, float))
    ball = pyvista.Sphere(radius=radius, theta_resolution=40, phi_resolution=40)
    if shades is None:
        plotter.add_mesh(points.glyph(geom=ball, scale=False, orient=False), color=colour, **_VALUES)
        return
    points["shade"] = shades
    plotter.add_mesh(points.glyph(geom=ball, scale=False, orient=False), scalars="shade", clim=(0, 1),
                     cmap=colours or _colours(FIELD_MAP), show_scalar_bar=False, **(_VALUES | {"ambient": 0.7}))
    outline = points.glyph(geom=ball.scale(1.14), scale=False, orient=False)
    plotter.add_mesh(outline, color=colour, culling="front", lighting=False)


def _facing(points: Floats, hottest: Floats, aside: Floats) -> Floats:
    """The direction to see an object from: broad, its hottest point in front, `aside` at its side."""
    middle = points.mean(axis=0)
    axes = np.linalg.svd(points - middle, full_matrices=False)[2]
    sideways = (aside - middle) / (np.linalg.norm(aside - middle) or 1.0)
    thin = min(axes[1:], key=lambda axis: abs(axis @ sideways))
    toward = thin - (thin @ sideways) * sideways
    toward *= np.sign(toward @ (hottest - middle)) or 1.0
    return np.asarray(toward / np.linalg.norm(toward) + 0.45 * sideways)


def _look(plotter: "pyvista.Plotter", points: Floats, toward: Floats) -> float:
    """Aim the camera at the middle of the points, so that they fill the scene; its height [um]."""
    toward = toward / np.linalg.norm(toward)
    up = np.array([0.0, 0.0, 1.0]) if abs(toward[2]) < 0.9 else np.array([0.0, 1.0, 0.0])
    right = np.cross(up, toward)
    right /= np.linalg.norm(right)
    flat = points @ np.stack([right, np.cross(toward, right)], axis=1)
    middle = points.mean(axis=0)
    middle = middle + np.stack([right, np.cross(toward, right)], axis=1) @ (
        (flat.min(axis=0) + flat.max(axis=0)) / 2 - flat.mean(axis=0))
    width, tall = np.ptp(flat, axis=0)
    height = 1.1 * max(tall, width * HEIGHT / (SCENE * WIDTH))
    distance = 10 * float(np.ptp(points, axis=0).max())
    plotter.camera.focal_point = middle
    plotter.camera.position = middle + distance * toward
    plotter.camera.up = up
    plotter.camera.parallel_scale = height / 2
    plotter.reset_camera_clipping_range()
    return float(height)


def _names(shapes: Sequence[Shape]) -> list[tuple[str, str]]:
    """The names of shapes and the colours to write them in."""
    return [(shape.name, shape.colour) for shape in shapes if shape.name]


def _compose(path: str | Path, plotter: "pyvista.Plotter", height: float, scale: "Normalize",
             colours: "Colormap", label: str, legend: Sequence[tuple[str, str]]) -> None:
    """Draw the scene with names and a bar of length on it and the colour bar beside it; write the PNG."""
    from matplotlib.cm import ScalarMappable

    image = plotter.screenshot(return_img=True)
    plotter.close()
    with style(_DARK):
        figure = figure_of(WIDTH / 200, HEIGHT / 200)
        axes = figure.add_axes((0.0, 0.0, SCENE, 1.0))
        axes.imshow(image, aspect="auto", interpolation="lanczos")
        axes.set_axis_off()
        _draw_length(figure, height)
        for row, (name, colour) in enumerate(legend):
            figure.text(BAR[0], 0.95 - 0.038 * row, name, color=colour, va="top")
        bar = figure.colorbar(ScalarMappable(scale, colours), cax=figure.add_axes(BAR))
        bar.outline.set_visible(False)
        bar.minorticks_off()
        bar.set_ticks(_round_ticks(scale), labels=[f"{tick:g}".replace("-", "−") for tick in _round_ticks(scale)])
        bar.set_label(pretty(label))
        save(figure, path)


def _round_ticks(scale: "Normalize") -> list[float]:
    """Round values to write beside a colour bar, evenly spread over its scale."""
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import MaxNLocator

    low, high = (float(end or 0.0) for end in (scale.vmin, scale.vmax))
    if isinstance(scale, LogNorm):
        decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        ticks = [k * 10.0**e for e in decades for k in (1, 2, 5)]
    else:
        ticks = list(MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high))
    return [float(f"{tick:.6g}") for tick in ticks if low <= tick <= high]


def _draw_length(figure: "Figure", height: float) -> None:
    """A bar of a round length under the colour bar; `height` um is the height of the scene."""
    from matplotlib.lines import Line2D

    longest = height * 0.14 * WIDTH / HEIGHT
    power = 10.0 ** np.floor(np.log10(longest))
    length = float(power * max(k for k in (1, 2, 5) if k * power <= longest))
    right = BAR[0] + length / height * HEIGHT / WIDTH
    figure.add_artist(Line2D((BAR[0], right), (0.05, 0.05), color=PAPER, lw=4, solid_capstyle="butt"))
    shown = f"{length:g} µm" if length >= 1 else f"{1000 * length:g} nm"
    figure.text(BAR[0], 0.065, shown, va="bottom")
