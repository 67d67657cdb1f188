"""What commands say when they are done."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from spatial.units import ms, nm

if TYPE_CHECKING:
    from rich.table import Table

    from spatial.geometry.place import Floats
    from spatial.scenarios.parts.report import Changes
    from spatial.scenarios.puffs.report import Observed
    from spatial.scenarios.virtual_iontophoresis.model import Measured



def changes(found: "Changes") -> None:
    """A table of what happened at each synapse, nearest first."""
    from rich.console import Console

    table = _table("synapse", "distance [µm]", "weight change [%]", "release probability [%]")
    for k in found.distance.argsort(kind="stable").tolist():
        table.add_row("active" if found.active[k] else str(k), f"{found.distance[k]:.2f}",
                      f"{found.weight[k]:+.3g}", f"{found.release[k]:+.3g}")
    Console().print(table)


def events(observed: "Observed") -> None:
    """A table of the events, in the order of their starts."""
    from rich.console import Console

    table = _table("event", "start [s]", "duration [ms]", "rise of Ca²⁺ [µM]", "radius [nm]", "spread [nm]")
    for event in observed.events:
        table.add_row(str(event.label), f"{event.start:.3f}", f"{event.duration / ms:.3g}", f"{event.amplitude:.3g}",
                      f"{event.radius / nm:.3g}", f"{event.spread / nm:.3g}")
    Console().print(table)


def heard(rows: Sequence[dict[str, Any]]) -> None:
    """A table of who heard the releases."""
    from rich.console import Console

    table = _table("receptor", "hears", "radius of effect [µm]", "at [ms]", "synapses")
    for row in rows:
        heard = row["radius of effect [um]"] > 0
        table.add_row(row["receptor"], row["molecule heard"], f"{row['radius of effect [um]']:.3g}",
                      f"{row['at [s]'] / ms:.3g}" if heard else "", f"{row['synapses expected']:.3g}")
    Console().print(table)


def tortuosity(alpha: float, steady: "Floats", measured: "Measured | None" = None) -> None:
    """A table of volume fraction and tortuosity, by each way."""
    from rich.console import Console

    from spatial.analysis.tortuosity import isotropic
    from spatial.scenarios.virtual_iontophoresis.model import TISSUE, fitted_tortuosity

    def row(name: str, axes: "Floats", all_axes: str) -> None:
        table.add_row(name, *(f"{each:.3f}" for each in axes), all_axes)

    table = _table("", "x", "y", "z", "all axes")
    row("λ, steady gradient", steady, f"{isotropic(steady):.3f}")
    table.add_row("α, from volumes", "", "", "", f"{alpha:.3f}")
    if measured is not None:
        spread = [f" ± {each:.3f}" if each == each else "" for each in measured.spread]
        row("λ, virtual TMA⁺", fitted_tortuosity(measured.fit), f"{measured.fitted:.3f}{spread[1]}")
        table.add_row("α, virtual TMA⁺", "", "", "", f"{measured.fit['alpha']:.3f}{spread[0]}")
    table.add_row(f"{TISSUE} / λ, not from geometry", "", "", "", f"{TISSUE / isotropic(steady):.3f}")
    Console().print(table)


def where(out: Path, seconds: float, missing: Mapping[str, str] = MappingProxyType({})) -> None:
    """Where the results are, how long they took, and which pictures are missing, with the reason of each."""
    from rich.console import Console

    Console().print(f"Results are in {out.resolve()} ({seconds:.0f} s).", soft_wrap=True, highlight=False)
    for name, reason in missing.items():
        Console().print(f"Not drawn: {name}: {reason}", soft_wrap=True, highlight=False, markup=False)


def _table(*headers: str) -> "Table":
    """An empty table; units in square brackets are not taken for markup."""
    from rich.markup import escape
    from rich.table import Table

    return Table(*map(escape, headers))
