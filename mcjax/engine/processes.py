"""Several processes, on one machine or many, that work on one study.

Every process runs the same program on its own devices, with chains of its own, and no collective
takes part in that. Between chunks they exchange summaries of whole tiles by JAX's own collectives
(gloo on CPUs, NCCL on GPUs), so that all of them know all there is: any can judge, and one can
write. Values are pickled: all processes belong to one user's one job.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from mcjax.errors import InputError, SharedError

Value = TypeVar("Value")


def start(spec: str) -> None:
    """Join the other processes of a job; to be called before JAX is used.

    Parameters
    ----------
    spec: ``auto`` where the environment tells (SLURM, Open MPI, TPU pods, Kubernetes), else
        ``HOST:PORT,INDEX,COUNT`` with the address of process 0.

    Raises
    ------
    InputError: if it is neither, or the others are not to be found.
    """
    field = "--distributed"
    try:
        if spec == "auto":
            jax.distributed.initialize()
            return _meet()
        address, index, count = spec.split(",")
        host, port = address.rsplit(":", 1)
        numbers = int(port), int(index), int(count)
    except ValueError as error:
        raise InputError(
            field,
            f"is {spec!r}, and no job of several processes is in sight; give 'auto' inside one, or"
            " HOST:PORT,INDEX,COUNT such as localhost:9876,0,2",
        ) from error
    if not (host and 0 < numbers[0] < 2**16 and 0 <= numbers[1] < numbers[2]):
        raise InputError(field, f"is {spec!r}; INDEX counts from 0 and is below COUNT")
    try:
        jax.distributed.initialize(address, numbers[2], numbers[1])
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise InputError(field, f"found no such job at {address}: {reason}") from error
    _meet()


def _meet() -> None:
    """The first exchange, in which gloo greets on standard output, where results are to go."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        exchange(None)
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def several() -> bool:
    """Whether this process was started together with others."""
    return jax.distributed.is_initialized() and jax.process_count() > 1


def exchange(value: Value) -> list[Value]:
    """What each process has, in order; all must call it together."""
    if jax.process_count() == 1:
        return [value]
    data = np.frombuffer(pickle.dumps(value), np.uint8)
    sizes = np.ravel(multihost_utils.process_allgather(np.array([len(data)], np.int32)))
    # every size is compiled for, so there are few
    padded = np.zeros(1 << int(sizes.max() - 1).bit_length(), np.uint8)
    padded[: len(data)] = data
    rows = np.asarray(multihost_utils.process_allgather(padded))
    return [pickle.loads(row[:size].tobytes()) for row, size in zip(rows, sizes, strict=True)]


def shared(work: Callable[[], Value]) -> list[Value]:
    """What each process comes to, in order; all must call it together.

    Raises
    ------
    SharedError: in all processes, if ``work`` fails in any of them.
    """
    if jax.process_count() == 1:
        return [work()]
    found: Value | None = None
    fault: InputError | None = None
    try:
        found = work()
    except InputError as error:
        fault = error
    except Exception as error:  # whatever it is, the others must not wait for ever
        traceback.print_exc()
        fault = InputError("--distributed", f"process {jax.process_index()}: {error!r}")
    parts = exchange((found, fault))
    for _, met in parts:
        if met is not None:
            raise SharedError(met.field, met.message, met.file)
    return [value for value, _ in parts]  # type: ignore[misc]


def agreed(work: Callable[[], Value]) -> Value:
    """``work`` done in each process for itself, and by all or by none."""
    own: list[Value] = []
    shared(lambda: own.append(work()))
    return own[0]


def first_alone(work: Callable[[], Value]) -> Value:
    """What process 0 comes to, in all of them."""
    found = shared(lambda: work() if jax.process_index() == 0 else None)[0]
    return found  # type: ignore[return-value]


def together(own: Iterator[list[Any]]) -> Iterator[list[Any]]:
    """Lists of this process, each joined with those that the others have at that time, until none
    has more."""
    while True:
        parts = shared(lambda: next(own, None))
        if all(part is None for part in parts):
            return
        yield [item for part in parts if part is not None for item in part]
