"""Why something cannot be pickled: the first part of it that cannot, by the name a user knows it by."""

import copyreg
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from inspect import getattr_static
from multiprocessing.context import get_spawning_popen
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

_HARMLESS = (type(None), bool, int, float, complex, str, bytes, np.ndarray, np.generic)
_RULES = ("__reduce__", "__reduce_ex__", "__getstate__")  # by which an object may pickle in a way of its own
_HOLDERS = (Mapping, list, tuple, set, frozenset, partial, MethodType)
_FUNCTIONS = (FunctionType, BuiltinFunctionType)
_CURE = "define it at the top of a module"


def obstacle(thing: Any, name: str) -> str | None:
    """Return the sentence that says what keeps a thing from being pickled, or None where nothing does.

    `name` is what the thing is called in that sentence. Fields, items of lists and mappings, and what a partial holds
    are looked into.
    """
    return _obstacle(thing, name, "", {})


def _obstacle(thing: Any, owner: str, path: str, seen: dict[int, Any]) -> str | None:
    """The first obstacle in a thing at a path below its owner; `seen` holds what has been looked at."""
    if isinstance(thing, _HARMLESS) or id(thing) in seen:
        return None
    seen[id(thing)] = thing
    reason = _own_reason(thing)
    if reason is not None:
        subject = f"{owner}: {path}" if path else owner
        return f"{subject} {reason}"
    if not _is_looked_into(thing):
        return None
    for step, part in _parts(thing):
        found = _obstacle(part, owner, f"{path}{step}".removeprefix("."), seen)
        if found is not None:
            return found
    return None


def _own_reason(thing: Any) -> str | None:
    """Why a thing itself cannot be pickled, whatever it is made of."""
    if isinstance(thing, _FUNCTIONS):
        return _reason_of_function(thing)
    if isinstance(thing, type):
        return None if _is_found(thing) else f"is a class made on the spot ({thing.__qualname__}); {_CURE}"
    kind = type(thing)
    if "<locals>" in kind.__qualname__:
        return f"is of a class made on the spot ({kind.__qualname__}); {_CURE}"
    if _is_lost_in_worker(kind):
        return (f"is of a class that the new process cannot import ({kind.__qualname__} of an interactive session); "
                f"{_CURE}")
    if _is_found(kind) and _is_looked_into(thing):
        return None
    try:
        pickle.dumps(thing)
    except Exception as error:
        return (f"is a {kind.__name__}, which cannot be pickled ({error}); leave it out, or make it anew where it is "
                "used")
    return None


def _reason_of_function(function: Callable[..., Any]) -> str | None:
    """Why a function cannot be pickled: a copy finds it again by its module and name."""
    if not _is_found(function):
        return f"is a function made on the spot ({function.__name__}); {_CURE}, or make it a small class"
    if _is_lost_in_worker(function):
        return (f"is a function that the new process cannot import ({function.__name__} of an interactive session); "
                f"{_CURE}")
    return None


def _is_found(thing: Any) -> bool:
    """Whether a function or class is found where its module and name say that it is."""
    owner = getattr(thing, "__self__", None)
    if owner is not None and not isinstance(owner, ModuleType):
        return True  # a method of an object in C, which pickles with the object
    found: Any = sys.modules.get(thing.__module__ or "builtins")
    for name in thing.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is thing


def _is_lost_in_worker(thing: Any) -> bool:
    """Whether a process that is being started could not import what it needs, as it is in a session without a file."""
    if thing.__module__ != "__main__" or get_spawning_popen() is None:
        return False
    main = sys.modules["__main__"]
    return not hasattr(main, "__file__") and getattr(main, "__spec__", None) is None


def _is_looked_into(thing: Any) -> bool:
    """Whether a thing pickles as what it is made of, so that its parts tell."""
    if isinstance(thing, _HOLDERS):
        return True
    if not hasattr(thing, "__dict__") and not hasattr(thing, "__slots__"):
        return False
    by_default = all(getattr_static(thing, rule) is getattr_static(object, rule) for rule in _RULES)
    return by_default and type(thing) not in copyreg.dispatch_table


def _parts(thing: Any) -> Iterator[tuple[str, Any]]:
    """What a thing is made of, each with the step that leads there."""
    if isinstance(thing, MethodType):
        yield "", thing.__self__
    elif isinstance(thing, partial):
        yield "", thing.func
        yield from _items(thing.args)
        yield from _entries(thing.keywords)
    elif isinstance(thing, Mapping):
        yield from _entries(thing)
    elif isinstance(thing, (list, tuple, set, frozenset)):
        yield from _items(thing)
    elif not isinstance(thing, (*_FUNCTIONS, type)):
        yield from _attributes(thing)


def _items(things: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    for k, part in enumerate(things):
        yield f"[{k}]", part


def _entries(things: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for key, part in things.items():
        yield f"[{key!r}]", key
        yield f"[{key!r}]", part


def _attributes(thing: Any) -> Iterator[tuple[str, Any]]:
    """What an object remembers: its fields, and what it has kept since it was made."""
    for name, part in getattr(thing, "__dict__", {}).items():
        yield f".{name}", part
    for name in getattr(type(thing), "__slots__", ()):
        yield f".{name}", getattr(thing, name, None)
