"""All benchmarks beside their peers, in one run and one table: `make bench`.

    python -m tests.benchmarks [--quick] [diffusion calcium potassium scaling]

The table is printed and written to tests/benchmarks/results/table.md. The study of integrators is
`python -m tests.benchmarks.integrators.study`.
"""

import os
import platform
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.benchmarks import calcium_in_a_process, diffusion, potassium_grid, scaling
from tests.benchmarks.measure import Row, table

RESULTS = Path(__file__).parent / "results"
COMPARED: dict[str, Callable[[bool], list[Row]]] = {
    "diffusion": diffusion.rows, "calcium": calcium_in_a_process.rows, "potassium": potassium_grid.rows}
TOOLS = ["numpy", "numba", "fipy", "scikit-fem", "NEURON", "py-pde"]


def machine() -> str:
    """What the figures were measured on and with."""
    found = []
    for tool in TOOLS:
        try:
            found.append(f"{tool} {version(tool)}")
        except PackageNotFoundError:
            found.append(f"{tool} not installed")
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return f"Python {platform.python_version()}, {', '.join(found)}; {os.cpu_count()} cores, load when done {load}."


def main(arguments: Sequence[str]) -> None:
    """Run the benchmarks named, or all of them."""
    quick, names = "--quick" in arguments, [one for one in arguments if not one.startswith("-")]
    unknown = set(names) - {*COMPARED, "scaling"}
    if unknown:
        sys.exit(f"there is no benchmark {sorted(unknown)[0]!r}; there are {', '.join([*COMPARED, 'scaling'])}")
    parts, rows = [], [row for name, measure in COMPARED.items() if name in (names or COMPARED)
                       for row in measure(quick)]
    if rows:
        parts.append(table(rows))
    if "scaling" in (names or ["scaling"]):
        parts.append(scaling.report(scaling.SIDES[:2] if quick else scaling.SIDES))
    text = "\n\n".join([*parts, machine()])
    print(text)
    if not quick and not names:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "table.md").write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
