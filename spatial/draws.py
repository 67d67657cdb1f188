"""Random numbers in compiled functions, of a generator that Python hands over as an address.

Given a generator itself, numba asks it in Python for its parts at every call. Where an interrupt (Ctrl-C, or a limit of
time) came up in there, numba went on with parts that were missing, and the process ended in a segmentation fault. An
address is a number: between the call and the machine code no Python runs, and calls are faster. The numbers drawn are
the same.
"""

from typing import Any

import numpy as np
from numba.core import cgutils, types
from numba.extending import intrinsic

_PARTS = ("state", "fnptr_next_uint64", "fnptr_next_uint32", "fnptr_next_double")  # in this order in numpy's bitgen_t


def address_of(rng: np.random.Generator) -> int:
    """Return where the state of a generator is and the functions that draw from it: numpy's `bitgen_t`.

    It holds as long as the generator does, so keep that until the compiled function has returned.
    """
    return int(rng.bit_generator.ctypes.bit_generator.value)


@intrinsic
def generator_at(typing_context, address):  # type: ignore[no-untyped-def]
    """Return, in compiled code, the generator of which Python has given the address; it draws as the generator does."""
    generator = types.NumPyRandomGeneratorType("generator at an address")

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = context.get_value_type(types.uintp)
        parts = builder.inttoptr(arguments[0], word.as_pointer())
        made = cgutils.create_struct_proxy(generator)(context, builder)  # no Python object: all else is null
        inner = cgutils.create_struct_proxy(types.NumPyRandomBitGeneratorType("its bits"))(context, builder)
        for number, name in enumerate(_PARTS):
            place = builder.gep(parts, [context.get_constant(types.int32, number)])
            setattr(inner, name, builder.load(place))
        inner.state_address = inner.state
        made.bit_generator = inner._getvalue()
        return made._getvalue()

    return generator(types.int64), codegen
