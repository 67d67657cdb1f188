"""Every public function that users call refuses in one sentence what is no value of an argument.

The functions are found by walking the package, and each must have a valid call here: its arguments are made by their
annotations, or given in `valid_calls.CALLS`. Each argument in turn is given nan, inf, -1, 0, a text, an array of a
wrong shape and None: the answer is an `InputError`, or the value has a meaning that the annotation says, or `MEANT`,
and then what comes out holds no nan.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike
from test_bad_numbers import BAD, example, made, parts_of
from valid_calls import CALLS, EXEMPT, LONG, MEANT, NAN_SAYS

import spatial
from spatial.checks import InputError, arguments, shaped
from spatial.model import Concentrations

OTHER_ROOMS = {
    "_engine": "users never import from it", "__main__": "the command line", "cli": "its words are read by typer",
    "output": "what it writes is tested where it is written", "reading": "called by `simulate` with a system",
    "checks": "the checks themselves", "compiled": "a decorator", "draws": "called by mechanisms while they are built",
    "frozen": "called by classes with what they checked", "parameters": "called by `simulate` and pages with a model",
    "parts": "called by the reading of a model, with anything", "pickling": "called by `simulate` with anything",
    "run_arguments": "the checks of `simulate` themselves", "view": "made by the engine",
    "geometry.files": "called by `load` with what a file holds", "geometry.size": "checks of size themselves",
    "geometry.surface_links": "called by makers of meshes", "geometry.voxel_surface": "called by makers of meshes",
    "geometry.verdicts": "called by `spatial mesh` with a mesh", "geometry.cut_faces": "called by `load` with a mesh",
    "scenarios.parts.stumps": "called by scenarios with their models"}
"""What is not a function that users call, room by room."""

CALLED_BY_THE_ENGINE = {
    "rates", "reactions", "gains", "between", "spike", "change", "exchange", "write", "run", "events"}
"""Methods of mechanisms and their events, called at each step by the engine with what was checked before."""


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """All public functions, and methods of public classes, in rooms that users enter, by their names."""
    for module in pkgutil.walk_packages(spatial.__path__, "spatial."):
        if any(f"{module.name}.".startswith(f"spatial.{other}.") for other in OTHER_ROOMS):
            continue
        room = importlib.import_module(module.name)
        for name, thing in vars(room).items():
            if name[0] == "_" or getattr(thing, "__module__", "") != module.name:
                continue
            if inspect.isfunction(thing):
                yield f"{module.name}.{name}".removeprefix("spatial."), thing
            elif inspect.isclass(thing):
                for called in methods(thing):
                    yield f"{module.name}.{name}.{called}".removeprefix("spatial."), getattr(thing, called)


def methods(kind: type) -> Iterator[str]:
    """The public methods that a class itself has and that take arguments."""
    is_protocol = getattr(kind, "_is_protocol", False)
    for name, thing in vars(kind).items():
        function = getattr(thing, "__func__", thing)
        if name[0] == "_" or not inspect.isfunction(function) or name in CALLED_BY_THE_ENGINE or is_protocol:
            continue
        if function.__module__ == kind.__module__:
            yield name


def is_called_by_users(function: Callable[..., Any]) -> bool:
    """Whether a function takes arguments, and not the view of a state, which the engine makes at each step."""
    taken = [parameter.annotation for name, parameter in inspect.signature(function).parameters.items()
             if name not in ("self", "cls")]
    return bool(taken) and not any(kind in (Concentrations, "Concentrations") for kind in taken)


FUNCTIONS = {name: function for name, function in functions() if is_called_by_users(function)}
COVERED = [name for name in FUNCTIONS if name not in EXEMPT]


def call(function: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    """What a function returns for these arguments."""
    first, named = [], dict(given)
    parameters = inspect.signature(function).parameters.values()
    spread = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)
    if spread is not None:
        for parameter in parameters:
            if parameter.name == spread:
                break
            first.append(named.pop(parameter.name))
        several = named.pop(spread)
        first += several if isinstance(several, tuple) else [several]
    return function(*first, **named)


def arguments_of(name: str) -> dict[str, Any]:
    """The arguments of a valid call, of which those without an entry are made by their annotations."""
    given = dict(CALLS.get(name, dict)())
    room, _, kind = name.rpartition(".")[0].rpartition(".")
    for parameter in inspect.signature(FUNCTIONS[name]).parameters.values():
        if parameter.name in given or parameter.kind is parameter.VAR_KEYWORD:
            continue
        if parameter.name == "self":
            given["self"] = example(getattr(importlib.import_module(f"spatial.{room}"), kind))
        elif parameter.default is not parameter.empty:
            given[parameter.name] = parameter.default
        else:
            given[parameter.name] = made(parameter.annotation, parameter.name)
    return given


def has_meaning(name: str, argument: str, bad: str) -> bool:
    """Whether a value that is bad elsewhere has a meaning for this argument."""
    annotation = inspect.signature(FUNCTIONS[name]).parameters[argument].annotation
    parts = {float} if annotation == ArrayLike else parts_of(annotation)
    short = name.rpartition(".")[2]
    return ((short, argument, bad) in MEANT
            or (bad == "None" and type(None) in parts) or (bad == "text" and str in parts)
            or (bad == "0" and bool(parts & {float, int, Any})))


def holds_nan(result: Any) -> bool:
    """Whether a number, or an array or mapping of numbers, holds a nan."""
    if isinstance(result, Mapping):
        return any(map(holds_nan, result.values()))
    if isinstance(result, (tuple, list)):
        return any(map(holds_nan, result))
    return isinstance(result, (float, complex, np.ndarray, np.generic)) and bool(
        np.asarray(result).dtype.kind in "fc" and np.isnan(result).any())


def wrong_answers(name: str) -> Iterator[str]:
    """What a function does with values that are none, other than to refuse them."""
    function, given = FUNCTIONS[name], arguments_of(name)
    for argument in given:
        if argument in ("self", "cls"):
            continue
        for bad, value in BAD.items():
            is_meant, is_long = has_meaning(name, argument, bad), name in LONG or name.startswith("scenarios.")
            if is_meant and is_long:
                continue
            try:
                result = call(function, {**given, argument: value})
            except InputError as error:
                if is_long and argument not in str(error):
                    yield f"{argument} = {bad}: {error}"
                continue
            except Exception as error:
                yield f"{argument} = {bad}: {type(error).__name__}: {error}"
                continue
            if not is_meant:
                yield f"{argument} = {bad}: accepted"
            elif holds_nan(result) and name not in NAN_SAYS:
                yield f"{argument} = {bad}: the result holds nan"


@arguments(numbers=("any_sign",), not_negative=("rates",), above_zero=("D",), may_be_nan=("seen",))
def taken(count: int = 1, any_sign: Any = 0.0, rates: Any = None, D: float = 1.0, seen: Any = None,
          field: "np.ndarray[Any, Any] | None" = None, until: float = np.inf) -> tuple[Any, ...]:
    return count, any_sign, rates, D, seen, field, until


def test_a_whole_number_arrives_as_one_and_numbers_keep_their_signs():
    assert isinstance(taken(3.0)[0], int)
    assert taken(any_sign=-2.0, until=np.inf)[1] == -2.0
    assert taken(seen=[np.nan])[4] == [np.nan]


@pytest.mark.parametrize(("name", "value", "told"), [
    ("count", 1.5, "is 1.5; it must be a whole number"), ("any_sign", "1", "is '1'; it must be a finite number"),
    ("any_sign", None, "is None; it must be a finite number"),
    ("rates", [1.0, -1.0], "is -1; it must be a finite number >= 0"),
    ("D", 0.0, "is 0; it must be a finite number > 0"), ("field", "text", "is 'text'; it must be"),
    ("field", np.array([np.inf]), "is inf; it must be a finite number"), ("until", np.nan, "is nan; it must be")])
def test_an_argument_is_named_with_what_would_be_right(name, value, told):
    with pytest.raises(InputError, match=f"^taken: {name} {told}"):
        taken(**{name: value})


def test_a_shape_is_told_with_letters_for_any_length():
    shaped("f: values", np.ones((4, 3)), ("k", 3))
    with pytest.raises(InputError, match=r"^f: values has shape \(2,\); it must be \(k, 3\), x, y and z$"):
        shaped("f: values", np.ones(2), ("k", 3), "x, y and z")


def test_the_functions_are_found_and_what_is_exempt_is_there():
    assert {"simulate.simulate", "observe.probes.mean", "units.nernst", "analysis.spread.reach",
            "geometry.place.Mesh.with_points"} <= FUNCTIONS.keys()
    gone = [name for name in (*EXEMPT, *CALLS, *LONG, *NAN_SAYS) if name not in FUNCTIONS]
    assert not gone
    assert not EXEMPT.keys() & CALLS.keys()


@pytest.mark.parametrize("name", [
    name for name in COVERED if name not in LONG and not name.startswith("scenarios.")])
@pytest.mark.filterwarnings("ignore")
def test_a_valid_call_is_answered(name):
    call(FUNCTIONS[name], arguments_of(name))


@pytest.mark.parametrize("name", COVERED)
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_value_of_an_argument_is_refused(name):
    wrong = list(wrong_answers(name))
    assert not wrong, "\n".join(wrong)
