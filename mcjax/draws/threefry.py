"""The counter-based generator under every draw: Threefry-2x32 with 20 rounds.

Source: Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC'11). It is
the hash behind JAX's default keys, written as an unrolled expression because a compiler can fuse
that into its consumer. A number is a pure function of (key, counter): no state, no splitting, so
a draw does not depend on how many other draws are made, where, or in which order.

The arithmetic is that of ``uint32`` arrays and works on NumPy and JAX arrays alike; the host
derives chain keys with the very function that compiled code uses.
"""

from __future__ import annotations

from typing import Any

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA


def threefry(key: tuple[Any, Any], counter: tuple[Any, Any]) -> tuple[Any, Any]:
    """Two random words for each counter.

    Parameters
    ----------
    key, counter: pairs of uint32 arrays that broadcast together.
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
