"""The pictures show what they are given, say what is wrong with it, and are the same every time."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import Delaunay

from spatial.checks import InputError
from spatial.geometry.place import Floats, Place
from spatial.observe.recording import Recording, Series
from spatial.output.figures import Panel, heterosynaptic_map, pretty, time_courses
from spatial.output.scenes import ASTROCYTE, Shape, field_around, microdomain, surface


def ellipsoid() -> Place:
    """A solid of tetrahedra, 0.4 x 0.4 x 1.2 um, with its corners for elements."""
    rng = np.random.default_rng(1)
    unit = rng.normal(size=(400, 3))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    points = np.r_[unit, 0.6 * unit[:200], 0.2 * unit[:30]] * [0.2, 0.2, 0.6]
    cells = Delaunay(points).simplices.astype(np.int64)
    edges = points[cells[:, 1:]] - points[cells[:, :1]]
    inverted = np.linalg.det(edges) < 0
    cells[inverted] = cells[inverted][:, [0, 2, 1, 3]]
    return Place("pap", 3, np.ones(len(points)), points, cells=cells)


def bricks(n: int = 12) -> Place:
    """A cube of 3 um, cut into bricks, with their corners for elements."""
    index = np.arange(n**3).reshape(n, n, n)
    corners = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]
    cells = np.stack([index[i:n - 1 + i, j:n - 1 + j, k:n - 1 + k].ravel() for i, j, k in corners], axis=1)
    axis = np.linspace(-1.5, 1.5, n)
    centres = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    return Place("ecs", 3, np.ones(n**3), centres, cells=cells)


SYNAPSES = np.array([[0.4, 0, 0], [1, 0.3, 0.8], [-1, -0.4, 0.5], [-0.6, 0.2, -1.0]])
ACTIVE = np.array([True, False, False, False])


def pixels(path: Path) -> Floats:
    from matplotlib.image import imread

    image: Floats = imread(path)[..., :3]
    return image


def recording() -> Recording:
    t = np.linspace(0, 2, 50)
    return Recording(t, {"mean Ca": Series("uM", t[:, None]), "peak Ca": Series("uM", 2 * t[:, None]),
                         "weight": Series("1", 1 + np.outer(t, [0.1, 0.2]))}, {})


PANELS = [Panel("Ca2+", ("mean Ca", "peak Ca"), ("mean", "peak")), Panel("weight", ("weight",))]


def map_arguments(change: Floats) -> tuple[Floats, Floats, Floats, np.ndarray, Floats]:
    return np.linalg.norm(SYNAPSES - SYNAPSES[0], axis=1), change, -change / 2, ACTIVE, SYNAPSES


DRAWINGS: dict[str, Callable[[Path], None]] = {
    "time courses": lambda path: time_courses(path, recording(), PANELS, [0.1, 0.2]),
    "map": lambda path: heterosynaptic_map(path, *map_arguments(np.array([80.0, 3, 2, -1]))),
}


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_equal_input_gives_equal_bytes_whatever_the_users_style(
        tmp_path: Path, draw: Callable[[Path], None]) -> None:
    import matplotlib

    draw(tmp_path / "a.png")
    with matplotlib.rc_context({"font.size": 40, "axes.facecolor": "red"}):
        draw(tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert b"Software" not in (tmp_path / "a.png").read_bytes()


def test_figures_change_nothing_global(tmp_path: Path) -> None:
    import matplotlib

    with matplotlib.rc_context({"font.size": 40}):
        before = dict(matplotlib.rcParams)
        heterosynaptic_map(tmp_path / "map.png", *map_arguments(np.zeros(4)))  # the control: no change
        assert dict(matplotlib.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_a_home_folder_that_cannot_be_written_costs_no_word_and_no_picture(tmp_path: Path) -> None:
    code = ("import sys; from spatial.output.figures import figure_of, save, style\n"
            "with style(): save(figure_of(1, 1), sys.argv[1])")
    (tmp_path / "file").touch()
    home = str(tmp_path / "file")
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.png")], capture_output=True,
                          text=True, cwd=Path(__file__).resolve().parents[1], check=False,
                          env={"HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home, "PATH": ""})
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "a.png").exists()


def test_panels_that_cannot_be_drawn_are_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'mix' mixes series in uM and 1; give it series of one unit$"):
        time_courses(tmp_path / "t.png", recording(), [Panel("mix", ("mean Ca", "weight"))])
    with pytest.raises(InputError, match=r"no series 'glutamate' in this recording"):
        time_courses(tmp_path / "t.png", recording(), [Panel("glutamate", ("glutamate",))])
    with pytest.raises(InputError, match=r"have lengths \[3, 4\]; each must have one entry per synapse$"):
        heterosynaptic_map(tmp_path / "m.png", *map_arguments(np.zeros(3)))
    assert not list(tmp_path.iterdir())


def test_units_and_names_are_printed_as_in_a_paper() -> None:
    assert pretty("Ca2+ [uM]") == "Ca²⁺ [µM]"
    assert pretty("IP3, 1/um^2") == "IP₃, 1/µm²"


def test_the_surface_of_a_solid_is_closed_and_points_outwards() -> None:
    place = ellipsoid()
    a, b, c = (place.centres[surface(place)[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    assert np.allclose(normals.sum(axis=0), 0)
    volume = np.einsum("ij,ij->", a, normals) / 6
    assert volume == pytest.approx(4 / 3 * np.pi * 0.2 * 0.2 * 0.6, rel=0.1)
    assert volume > 0


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.usefixtures("gl")
def test_a_microdomain_is_bright_where_the_concentration_is_high(tmp_path: Path, opened: bool) -> None:
    far = np.array([30.0, 20.0, 10.0])
    place = ellipsoid()
    values = 0.1 + 2 * np.exp(-((place.centres - [0.0, -0.2, 0.3]) ** 2).sum(axis=1) / 0.02)
    place = replace(place, centres=place.centres + far)
    microdomain(tmp_path / "a.png", place, values, "Ca2+ [uM]", synapses=SYNAPSES[:1] + far, opened=opened)
    image = pixels(tmp_path / "a.png")
    assert image.shape == (1200, 1600, 3)
    scene = image[:, :1250]
    rows = np.nonzero((scene[..., 0] > 0.75) & (scene[..., 1] > 0.5))[0]  # orange to yellow
    assert len(rows) > 500
    assert 200 < np.median(rows) < 450  # z = 0.3 um is half way from the middle, 600, to the upper end, 55
    drawn = np.nonzero(np.abs(scene - scene[0, 0]).max(axis=(1, 2)) > 0.1)[0]
    assert 30 < drawn[0] < 80  # the whole place is in the picture and fills it
    assert 1120 < drawn[-1] < 1170


@pytest.mark.usefixtures("gl")
def test_a_field_is_drawn_around_the_active_synapse_with_the_cells(tmp_path: Path) -> None:
    ecs, pap = bricks(), ellipsoid()
    values = 0.01 + np.exp(-np.linalg.norm(ecs.centres - SYNAPSES[0], axis=1) / 0.3)
    for name, others in {"without": [], "with": [Shape.of(pap, ASTROCYTE, 1.0, "PAP")]}.items():
        field_around(tmp_path / name, ecs, values, "adenosine [uM]", SYNAPSES, ACTIVE, others)
    without, with_cell = pixels(tmp_path / "without"), pixels(tmp_path / "with")
    assert without.shape == (1200, 1600, 3)
    scene = without[:, :1250]
    yellow = (scene[..., 0] > 0.6) & (scene[..., 1] > 0.6) & (scene[..., 2] < 0.4)
    rows, columns = np.nonzero(yellow)
    assert len(rows) > 100
    assert abs(np.median(rows) - 600) < 100
    assert abs(np.median(columns) - 640) < 150
    changed = np.abs(with_cell - without).max(axis=2)[:, :1250] > 0.1
    assert 0.01 < changed.mean() < 0.3


def test_what_cannot_be_drawn_in_3d_is_refused_in_one_sentence(tmp_path: Path) -> None:
    place = ellipsoid()
    with pytest.raises(InputError, match=r"values to draw on 'pap' have shape \(3,\), not \(630,\)$"):
        microdomain(tmp_path / "a.png", place, np.ones(3), "Ca")
    with pytest.raises(InputError, match=r"'ecs' cannot be drawn as a volume: it has no tetrahedra$"):
        microdomain(tmp_path / "a.png", bricks(), np.ones(12**3), "Ca")
    with pytest.raises(InputError, match=r"'ecs' has neither tetrahedra nor triangles: it has no surface"):
        Shape.of(bricks(), ASTROCYTE)
