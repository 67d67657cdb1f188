"""Random numbers in compiled functions: those of the generator itself, and nothing that an interrupt can break."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spatial._engine.methods import master_equation
from spatial.compiled import compiled
from spatial.draws import address_of, generator_at
from spatial.geometry.grid import grid
from spatial.geometry.place import Place
from spatial.geometry.well_mixed import pool
from spatial.mechanisms import ip3r_channels
from spatial.mechanisms.clearance import Conversion
from spatial.model import Model, Species
from spatial.simulate import simulate
from spatial.units import ms

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "tests" / "user_scripts" / "counted_molecules.py"
INTERRUPTED = """
import random, signal, sys, time

class Interrupt(BaseException):
    pass

def interrupt(number, frame):
    raise Interrupt

script = compile(open(sys.argv[1]).read(), "script", "exec")
exec(script, {})
signal.signal(signal.SIGALRM, interrupt)
random.seed(1)
interrupted, began = 0, time.monotonic()
while time.monotonic() - began < 20.0:
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.02, 0.06))
        exec(script, {})
    except Interrupt:
        interrupted += 1
signal.setitimer(signal.ITIMER_REAL, 0.0)
print(interrupted)
"""


@compiled()
def _drawn(address: int, n: int) -> Any:
    rng = generator_at(address)
    numbers = np.empty((n, 4))
    for i in range(n):
        numbers[i, 0] = rng.random()
        numbers[i, 1] = rng.standard_exponential()
        numbers[i, 2] = rng.poisson(3.0)
        numbers[i, 3] = rng.binomial(400, 0.3)
    return numbers


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_compiled_functions_draw_what_the_generator_draws(bits):
    ours, numpys = np.random.Generator(bits(3)), np.random.Generator(bits(3))
    numbers = _drawn(address_of(ours), 50)
    expected = [(numpys.random(), numpys.standard_exponential(), numpys.poisson(3.0), numpys.binomial(400, 0.3))
                for _ in range(50)]
    assert np.array_equal(numbers, expected)
    assert ours.random() == numpys.random()


def python_called_by(kernel: Callable[..., Any], *arguments: Any) -> list[str]:
    """The Python functions that run where a compiled function is called: in each, an interrupt can come up."""
    called = []

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code is not kernel.py_func.__code__:  # numba tells of the kernel itself too
            called.append(frame.f_code.co_qualname)

    kernel(*arguments)  # compiled, if it was not
    sys.setprofile(note)
    try:
        kernel(*arguments)
    finally:
        sys.setprofile(None)
    return called


@pytest.fixture
def watched(monkeypatch) -> dict[str, list[str]]:
    """What Python each kernel that draws runs when it is called, by the name of the kernel."""
    seen: dict[str, list[str]] = {}

    def watch(module: Any, name: str) -> None:
        kernel = getattr(module, name)

        def watching(*arguments: Any) -> Any:
            copies = [one.copy() if isinstance(one, np.ndarray) else one for one in arguments]
            seen.setdefault(name, []).extend(python_called_by(kernel, *copies))
            return kernel(*arguments)

        monkeypatch.setattr(module, name, watching)

    watch(master_equation, "play")
    watch(master_equation, "walk")
    watch(ip3r_channels, "_walk")
    return seen


def test_no_python_runs_between_the_call_of_a_kernel_that_draws_and_its_machine_code(watched):
    place = grid("cytosol", [0, 0, 0], [1, 1, 1], 0.5)
    calcium, taken = Species("calcium", place, 1.0, D=10.0), Species("taken", place)
    simulate(Model([calcium, taken], [Conversion(place, calcium, taken, rate=10.0)]), 1 * ms, method="stochastic")

    cytosol, er = pool("cytosol", [1.0]), pool("er", [0.1])
    where = Place("receptors", 0, np.ones(2), np.zeros((2, 3)), touches={"cytosol": np.zeros(2, int),
                                                                         "er": np.zeros(2, int)})
    scheme = ip3r_channels.denizot()
    counts = ip3r_channels.at_rest(scheme, np.array([3, 3]), 0.1, 1.0, np.random.default_rng(1))
    states, opened = ip3r_channels.channel_species(where, scheme, counts)
    ca, store, ip3 = Species("Ca", cytosol, 0.1), Species("Ca ER", er, 100.0), Species("IP3", cytosol, 1.0)
    receptors = ip3r_channels.IP3RChannels(where, ca, store, ip3, states, opened, scheme)
    simulate(Model([*states, opened, ca, store, ip3], [receptors]), 1 * ms)

    assert watched == {"play": [], "walk": [], "_walk": []}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="interrupts come from a timer that Windows has not")
def test_a_counted_run_that_is_interrupted_anywhere_stops_with_the_interrupt():
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", INTERRUPTED, str(SCRIPT)], cwd=ROOT,
                          env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50
