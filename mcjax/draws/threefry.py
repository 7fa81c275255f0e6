"""The counter-based random number generator behind every draw: Threefry-2x32 with 20 rounds.

Reference: Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC'11). This
is the hash behind JAX's default keys, written as an unrolled expression so that a compiler can fuse
it into its consumer. A number is a pure function of (key, counter), without state or splitting, so
a draw does not depend on how many other draws are made, where, or in which order.

The function works on ``uint32`` arrays of NumPy and JAX alike: the host derives chain keys with the
same code that compiled programs use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxtyping import UInt32


ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA


def threefry(
    key: tuple[UInt32[Any, "*#shape"], UInt32[Any, "*#shape"]],
    counter: tuple[UInt32[Any, "*#shape"], UInt32[Any, "*#shape"]],
) -> tuple[UInt32[Any, "*shape"], UInt32[Any, "*shape"]]:
    """Return two random words for each counter.

    Parameters
    ----------
    key, counter : tuple of Array
        Pairs of uint32 arrays that broadcast together.

    Returns
    -------
    first, second : Array
        uint32, of the broadcast shape.
    """
    k0, k1 = key
    schedule = (k0, k1, k0 ^ k1 ^ PARITY)
    x0, x1 = counter[0] + k0, counter[1] + k1
    for block in range(5):
        for rotation in ROTATIONS[block % 2]:
            x0 = x0 + x1
            x1 = ((x1 << rotation) | (x1 >> (32 - rotation))) ^ x0
        x0 = x0 + schedule[(block + 1) % 3]
        x1 = x1 + (schedule[(block + 2) % 3] + (block + 1))
    return x0, x1
