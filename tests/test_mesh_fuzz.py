"""Broken mesh files are refused in one sentence, or are meshes: none hangs, ends the process, or takes all memory."""

import os
import re
from types import SimpleNamespace

import numpy as np
import pytest
from mutated_meshes import LONGEST, Seed, box, broken_files, outcomes, seeds, table, unreadable, unsound

from spatial.geometry.shapes import ball

NUMBER = int(os.environ.get("SPATIAL_FUZZ_FILES", "2000"))
SEED = int(os.environ.get("SPATIAL_FUZZ_SEED", "1"))


@pytest.mark.slow
def test_broken_files_are_refused_in_a_sentence_or_are_sound_meshes(record_property):
    files = broken_files(NUMBER, SEED)
    ends = outcomes(files)
    record_property("outcomes", table(files, ends))
    bad = [f"file {k}, {file.name}: {end}" for k, (file, end) in enumerate(zip(files, ends, strict=True))
           if not end.good]
    assert not bad, "\n".join(bad[:20])


def replaced(old, new, count=1):
    """The file with these bytes in place of others, which it holds."""
    def change(content):
        assert old in content
        return content.replace(old, new, count)
    return change


def put_in(at, new):
    """The file with these bytes in place of as many from a place on."""
    return lambda content: content[:at] + new + content[at + len(new):]


def cut_after(words):
    return lambda content: content[:content.index(words) + len(words)]


def lines_again(heading, count):
    """The file with a line after a heading changed to say more cells than there are."""
    return lambda content: re.sub(heading + rb" \d+", heading + b" %d" % count, content, count=1)


HUGE = 9223372036854775807
FIRST = box()[1][:4, 0] + 1  # the first points of cells, as MED counts them
KINDS = {  # what was wrong with each: it hung, ended the process, took all memory, printed, or said bytes of the file
    "waits for the end of nodes": ("mdpa", cut_after(b"Begin Nodes\n"), "ends too early"),
    "waits for a bracket": ("ansys text", lambda content: content[:144], "ends too early"),
    "waits for a card": ("nastran", cut_after(b"BEGIN BULK\n"), "ends too early|Premature EOF"),
    "waits for a first line": ("tetgen by its cells", lambda _: b"", r"its \.ele file is empty"),
    "Tecplot": ("tecplot", lambda content: content, "is a Tecplot file, which is not read; convert it"),
    "HMF": ("hmf", lambda content: content, "is an HMF file, which is not read; convert it"),
    "a surface": ("wkt", cut_after(b"TIN"), "is a WKT file, which holds a surface and no tetrahedra"),
    "more nodes than there are": ("gmsh 4.1 binary", lambda content: put_in(
        content.index(b"$Nodes\n") + 7 + 32 + 20 + 12, b"\xff" * 7)(content), "Nodes ends too early"),
    "more nodes in text": ("gmsh 4.1 text", replaced(b"\n3 1 0 27\n", b"\n3 1 0 900000000\n"), "Nodes ends too early"),
    "names that are none": ("gmsh 4.1 text", replaced(b'Names\n4\n2 1 "', b'Names\n4\n2 1es\n4\n2 1 "'),
                            "PhysicalNames does not hold as many"),
    "cells longer than they say": ("vtk of gmsh", replaced(b"\n3 0 1 4\n", b"\n7 0 1 4\n"), "its cells are not 96 in"),
    "more numbers in cells": ("vtk 5.1 of meshio", lines_again(rb"CELLS 49", HUGE), "cannot hold"),
    "no cells": ("vtk text", replaced(b"CELLS ", b"CELLS"), "not one section POINTS, then CELLS"),
    "a version of more digits": ("vtk 5.1 of meshio", replaced(b"Version 5.1", b"Version 5.4294967296"), "the version"),
    "offsets beyond": ("vtk binary", lambda content: put_in(
        content.index(b"OFFSETS") + 29, bytes([0, 0, 0, 4]))(content), "more points than it holds"),
    "a packed array without its head": ("vtu of meshio", replaced(b"AQAA", b""), "a file of its size cannot hold"),
    "more cells than the file": ("vtu text", replaced(b'OfCells="48"', b'OfCells="9000000"'), "cannot hold"),
    "cells without points": ("vtu text", replaced(b" 4 8 12", b" 0 8 12"), "fewer than 4 points|cannot be read"),
    "a width below 0": ("pvtu", replaced(b'Components="3"', b'Components="-7.5"'), "is no whole number"),
    "a word with bytes": ("abaqus of gmsh", replaced(b"type=CPS3", b"type=\0\x1b[31mCPS3"), "of type .* which are not"),
    "more points than memory": ("ugrid binary", put_in(0, b"\x7f"), "holds more than a file of its size"),
    "a set of very many": ("abaqus with sets", replaced(b"\n1, 20, 1\n", b"\n1, 300000000, 1\n"), "1 to 300000000"),
    "a long story": ("avs", replaced(b"27 48", b"75 48"), "cannot be read"),
    "an attribute of another name": ("med", replaced(b"ESP\0", b"ESQ\0"), "cannot be read"),
    "cells with points beyond": ("med of meshio", replaced(FIRST.tobytes(), (FIRST + 1000).tobytes()),
                                 "cells with points outside 1 to 27"),
    "an entity of many groups": ("gmsh 4.1 binary", lambda content: put_in(
        content.index(b"$Entities") + 10 + 32 + 52, b"\0\0\0\x7f")(content), "an entity of it is longer"),
}


@pytest.fixture(scope="module")
def ends():
    """What became of a file of each kind, and of the sound files."""
    sound = {seed.name: seed for seed in seeds()}
    files = []
    for name, change, _ in KINDS.values():
        first, content = next(iter(sound[name].files.items()))
        files.append(Seed(name, {**sound[name].files, first: change(content)}))
    known = outcomes([*files, *sound.values()])
    return dict(zip([*KINDS, *sound], known, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_what_broke_a_reader_is_refused(ends, kind):
    _, _, message = KINDS[kind]
    assert ends[kind].kind == "refused" or (ends[kind].good and not message), ends[kind]
    assert re.search(message, ends[kind].note)


REFUSED = ("tecplot", "hmf", "ply", "stl", "obj", "off", "wkt")


def test_sound_files_are_read(ends):
    unread = {name for name, end in ends.items() if name not in KINDS and end.kind != "accepted"}
    assert unread == {*REFUSED, "ugrid", "nastran of gmsh"}  # two that meshio cannot read
    assert all(ends[name].kind == "refused" for name in unread)


def test_the_judge_sees_what_is_no_mesh():
    mesh = ball(0.5, 0.25)
    assert unsound(mesh) == ""
    far = np.argsort(np.linalg.norm(mesh.points - mesh.points[mesh.cells[0, 0]], axis=1))[-2:]
    fans = [[*mesh.cells[0, :3], tip] for tip in far]

    def with_cells(*cells):
        held = np.concatenate(cells)
        return SimpleNamespace(points=mesh.points, cells=held, region=np.zeros(len(held), int), regions=mesh.regions)
    assert unsound(with_cells(mesh.cells, mesh.cells[:1])) == "a cell twice"
    assert unsound(with_cells(mesh.cells, fans)) == "a face of more than two cells"
    assert "within a surface" in unsound(with_cells(mesh.cells[:, [1, 0, 2, 3]]))


@pytest.mark.parametrize("words", ["", "a\nb", "\x1b[31m", "\0", "x" * (LONGEST + 1)])
def test_the_judge_sees_what_is_no_sentence(tmp_path, words):
    assert unreadable(words, tmp_path / "m.msh")
    assert not unreadable(f"{tmp_path / 'm.msh'} is empty", tmp_path / "m.msh")
