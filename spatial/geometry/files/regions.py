"""Which region each cell of a file is in: by its groups, else by numbers of its cells, else by its CAD volumes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from spatial.checks import InputError
from spatial.geometry.files.raw import Group, MeshFile
from spatial.geometry.files.read import CAD, PHYSICAL
from spatial.geometry.files.words import regions_of
from spatial.geometry.place import Ints
from spatial.geometry.tetrahedra import Region

_OWN = ("medit:ref", "tetgen:ref", "nastran:ref", "netgen:index", "avsucd:material", "ugrid:ref", "su2:tag", "region",
        "regions", "material", "label")
"""Cell data that is for regions in its format, or by its name: no note says that it is used."""

_BOOKKEEPING = ("vtkoriginalcellids", "globalelementid", "globalcellids", "global_element_id", "vtkghosttype", "rank",
                "procid", "processor", "partition", "globalids", "elementid", "cellid", "cellids", "cell_id",
                "vtkcellid", "gmsh:partition", "mpi_rank")
"""Cell data that numbers the cells, or the computers that they were on; compared in small letters."""

UNGROUPED = 0
"""The number of the region of cells that are in no group, where others are."""

Choice = str | Sequence[str] | None


def labels_of(path: str, file: MeshFile, choice: Choice) -> tuple[Ints, dict[int, str], list[str]]:
    """(m,) number of the region of each solid, names of these numbers, and what to say.

    `choice` names the cell data to take, or the groups that count. Raises `InputError` where a file says more than one
    thing.
    """
    groups = [group for group in file.groups if group.dimension == 3]
    if isinstance(choice, str):
        return _chosen_data(path, file, groups, choice)
    if choice is not None:
        groups = _chosen_groups(path, groups, choice)
    if groups:
        numbers, called, notes = _by_groups(path, file.count, groups)
        empty = [name for name in file.named if name not in called.values() and choice is None]
        if empty:
            notes.append(f"no cell is in the groups of volumes {', '.join(map(repr, empty))}, which it names")
        return numbers, called, notes
    if file.named:
        names = ", ".join(repr(name) for name in file.named)
        raise InputError(f"{path} names groups of volumes, {names}, but does not say which tetrahedra are in them, as "
                         "is lost in Gmsh 2 with Mesh.SaveAll; save it from Gmsh as version 4.1, or without SaveAll, "
                         f"or pass regions={CAD!r} for its CAD volumes")
    return _by_data(path, file)


def _by_groups(path: str, count: int, groups: list[Group]) -> tuple[Ints, dict[int, str], list[str]]:
    """Each cell by the group that it is in; in several, by the one that lies within all others."""
    owner, notes = _most_special(path, count, groups)
    numbers = np.array([*(group.number for group in groups), UNGROUPED])[owner]
    rest = int((owner < 0).sum())
    if rest:
        notes.append(f"{rest} of {count} cells are in no group; they are the region of number {UNGROUPED}")
    return numbers, {group.number: group.name for group in groups if group.name}, notes


def _most_special(path: str, count: int, groups: list[Group]) -> tuple[Ints, list[str]]:
    """(count,) the group of each cell, -1 for none. Raises `InputError` where groups overlap, neither in the other."""
    cells = np.concatenate([group.cells for group in groups])
    member = np.repeat(np.arange(len(groups)), [len(group.cells) for group in groups])
    holds = csr_matrix((np.ones(len(cells), np.int64), (cells, member)), shape=(count, len(groups)))
    holds.data[:] = 1
    overlap = csr_matrix(holds.T @ holds)
    common = np.asarray(overlap.todense())
    sizes = common.diagonal()
    owner = np.full(count, -1, np.int64)
    for k in np.argsort(-sizes, kind="stable").tolist():
        owner[groups[k].cells] = k
    found = np.bincount(owner[cells] * len(groups) + member, minlength=len(groups) ** 2)
    pairs = np.argwhere(found.reshape(len(groups), len(groups)))
    notes = list[str]()
    for own, other in pairs[pairs[:, 0] != pairs[:, 1]].tolist():
        within, around = _called(groups[own]), _called(groups[other])
        if sizes[own] == sizes[other] == common[own, other] and groups[own].name != groups[other].name:
            raise InputError(f"{path}: the groups {within} and {around} are the same {sizes[own]} cells; pass those"
                             " that count as regions=[...], or keep one")
        if common[own, other] < sizes[own]:
            raise InputError(f"{path}: {common[own, other]} cells are in both groups {within} and {around}, neither of "
                             "which lies within the other; pass those that count as regions=[...], or part them")
        if sizes[own] < sizes[other]:
            notes.append(f"cells in both groups {within} and {around} are taken for {within}, which lies within the "
                         "other")
    return owner, notes


def _called(group: Group) -> str:
    return repr(group.name) if group.name else str(group.number)


def _chosen_groups(path: str, groups: list[Group], choice: Sequence[str]) -> list[Group]:
    known = ", ".join(dict.fromkeys(repr(group.name) for group in groups)) or "none"
    unknown = [name for name in choice if name not in {group.name for group in groups}]
    if unknown:
        raise InputError(f"{path} has no group {unknown[0]!r} of volumes; it has {known}")
    if not choice:
        raise InputError(f"{path}: regions is an empty list; name the groups of volumes that count, of {known}")
    return [group for group in groups if group.name in choice]


def _chosen_data(path: str, file: MeshFile, groups: list[Group],
                 choice: str) -> tuple[Ints, dict[int, str], list[str]]:
    numbers = _numbers(file)
    if file.cad is not None:
        numbers[CAD] = file.cad
    if choice in numbers:
        return numbers[choice], {}, []
    if choice == PHYSICAL and groups:
        return _by_groups(path, file.count, groups)
    if any(group.name == choice for group in groups):
        return _by_groups(path, file.count, _chosen_groups(path, groups, [choice]))
    known = [*numbers, *(group.name for group in groups if group.name)]
    raise InputError(f"{path} has no cell data {choice!r} of whole numbers; it has "
                     f"{', '.join(repr(name) for name in known) or 'none'}")


def _by_data(path: str, file: MeshFile) -> tuple[Ints, dict[int, str], list[str]]:
    """Each cell by the whole numbers that the file gives to its cells: those that tell cells apart."""
    numbers = {name: values for name, values in _numbers(file).items() if not _is_count(values)}
    unfit = [name for name in file.data if name.lower() in _OWN and name not in numbers]
    ignored = [name for name, values in numbers.items()
               if name.lower() in _BOOKKEEPING and values.min() != values.max()]
    numbers = {name: values for name, values in numbers.items() if name.lower() not in _BOOKKEEPING}
    notes = [f"its cell data {name!r} is not taken for its regions; if it numbers these, pass regions={name!r}"
             for name in ignored]
    notes += [f"its cell data {name!r} is not taken for its regions, for these would be whole numbers, one for each "
              "cell, and fewer than cells; write such numbers if it tells regions" for name in unfit]
    apart = {name: values for name, values in numbers.items() if values.min() != values.max()}
    first, *others = apart or [""]
    differing = [name for name in others if not np.array_equal(apart[name], apart[first])]
    if differing:
        names = ", ".join(repr(name) for name in apart)
        raise InputError(f"{path} numbers its cells in several ways, {names}; pass the one that numbers the regions, "
                         f"as in regions={first!r}")
    if apart:
        values = np.unique(apart[first])
        shown = ", ".join(map(str, values[:8].tolist())) + (", ..." if len(values) > 8 else "")
        note = f"its regions are taken from its cell data {first!r}, which is {shown}"
        return apart[first], {}, notes if set(apart) & {*_OWN} else [*notes, note]
    if file.cad is not None and file.cad.min() != file.cad.max():
        shown = ", ".join(map(str, np.unique(file.cad)[:8].tolist()))
        return file.cad, {}, [*notes, f"its regions are its CAD volumes, {shown}, for it has no groups of volumes"]
    alike = [numbers[name] for name in _OWN if name in numbers] or list(numbers.values())
    if file.cad is not None:
        alike.append(file.cad)
    return alike[0] if alike else np.zeros(file.count, np.int64), {}, notes


def _numbers(file: MeshFile) -> dict[str, Ints]:
    """The cell data of whole numbers, one for each cell."""
    whole = dict[str, Ints]()
    for name, data in file.data.items():
        values: Any = np.asarray(data)
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.shape != (file.count,) or values.dtype.kind not in "biuf":
            continue
        some = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
        if some.any() and not some.all() and not (values == UNGROUPED).any():
            values = np.where(some, UNGROUPED, values)  # tags of a part of the cells only
        if np.isfinite(values).all() and (values == np.round(values)).all() and np.abs(values).max() < 2**53:
            whole[name] = values.astype(np.int64)
    return whole


def _is_count(values: Ints) -> bool:
    """Whether so many numbers are different that they count cells, not regions."""
    return len(np.unique(values)) > max(8, len(values) // 4)


def named_regions(path: str, numbers: Ints, in_file: Mapping[int, str],
                  names: Mapping[int | str, str]) -> tuple[Ints, tuple[Region, ...]]:
    """Region of each cell, and the regions in the order of their numbers in the file.

    `names` calls a region by its number, or by its name in the file, something else.
    """
    present, region = np.unique(numbers, return_inverse=True)
    known = present.tolist()
    given = dict[int, str]()
    for key, name in names.items():
        meant = [number for number in known if key in (number, in_file.get(number))]
        if not meant:
            shown = [str(k) for k in known[:20]] + [repr(in_file[k]) for k in known[:20] if k in in_file]
            raise InputError(f"{path} has no region {key!r} to be called {name!r}; it has {', '.join(shown)}")
        for number in meant:
            if given.setdefault(number, name) != name:
                raise InputError(f"{path}: region {number}, {in_file.get(number, '')!r}, is called both "
                                 f"{given[number]!r} and {name!r}; give it one name")
    default = {known[0]: "cytosol"} if len(known) == 1 else {k: f"region {k}" for k in known}
    called = default | {k: name for k, name in in_file.items() if name} | given
    regions = regions_of([called[k] for k in known], [k in given for k in known])
    return region.ravel().astype(np.int64), regions
