"""The commands, and how what is wrong with the input is told."""

import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import typer

from spatial.checks import InputError
from spatial.cli import measures, meshes, runs

HELP = "Run a scenario, look at a mesh or make one, measure a geometry."


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what is wrong with the input is told in one sentence, with exit code 2."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _note
            status = _app()(args=arguments, prog_name="spatial", standalone_mode=False)
    except (InputError, OSError) as error:
        _leave(str(error))
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer's usage error, which it does not export
            raise
        _leave(_usage(error))
    raise SystemExit(status or 0)


def _note(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning, in one line."""
    print("spatial: note:", " ".join(str(message).split()), file=sys.stderr)


def _leave(sentence: str) -> NoReturn:
    print("spatial:", " ".join(sentence.split()), file=sys.stderr)
    raise SystemExit(2) from None


def _usage(error: Any) -> str:
    """What was wrong with the arguments, and what there is instead of an unknown command."""
    known = getattr(error.ctx.command, "commands", {}) if error.ctx else {}
    said = error.format_message()
    return f"{said.partition('.')[0]}; there is {', '.join(known)}" if known else said.rstrip(".")


def _app() -> typer.Typer:
    """The commands."""
    app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False,
                      pretty_exceptions_enable=False, rich_markup_mode=None)
    run = typer.Typer(help="Run a scenario; leave fields, recording, summary and pictures in one folder.",
                      no_args_is_help=True)
    for scenario in (runs.tripartite, runs.puffs, runs.cleft, runs.coverage, runs.spread, runs.potassium,
                     runs.buffering, runs.homeostasis, runs.protocols, runs.heterosynaptic):
        run.command()(scenario)
    app.add_typer(run, name="run")
    mesh = typer.Typer(help="Look at a mesh, make, mend, cut, name or convert one.", no_args_is_help=True)
    for command in (meshes.info, meshes.make, meshes.clean, meshes.cut, meshes.name, meshes.convert, meshes.repair):
        mesh.command()(command)
    app.add_typer(mesh, name="mesh")
    measure = typer.Typer(help="Measure a geometry by a virtual experiment.", no_args_is_help=True)
    measure.callback()(lambda: None)  # one command alone would otherwise be run without its name
    measure.command()(measures.tortuosity)
    app.add_typer(measure, name="measure")
    return app
