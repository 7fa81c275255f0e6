"""Several processes, on one machine or many, that work on one study.

Every process runs the same program on its own devices, with its own share of the chains, without
collective operations. Between chunks, the processes exchange summaries of whole tiles by the
collectives of JAX (gloo on CPUs, NCCL on GPUs). Then all of them know all results: any of them can
judge, and one can write. Values are pickled, because all processes belong to one job of one user.
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
    """Join the other processes of a job; must be called before JAX is used.

    Parameters
    ----------
    spec : str
        ``auto`` if the environment describes the job (SLURM, Open MPI, TPU pods, Kubernetes),
        otherwise ``HOST:PORT,INDEX,COUNT`` with the address of process 0.

    Raises
    ------
    InputError
        If ``spec`` is neither, or the other processes cannot be reached.
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
            f"is {spec!r}, but there is no job of several processes; give 'auto' inside one, or"
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
    """Exchange once, with what gloo prints on standard output sent to standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        exchange(None)
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def several() -> bool:
    """Return True if this process was started together with others."""
    return jax.distributed.is_initialized() and jax.process_count() > 1


def exchange(value: Value) -> list[Value]:
    """Return the values of all processes in order; all must call it together."""
    if jax.process_count() == 1:
        return [value]
    data = np.frombuffer(pickle.dumps(value), np.uint8)
    sizes = np.ravel(multihost_utils.process_allgather(np.array([len(data)], np.int32)))
    # padded to powers of two, because every size is compiled
    padded = np.zeros(1 << int(sizes.max() - 1).bit_length(), np.uint8)
    padded[: len(data)] = data
    rows = np.asarray(multihost_utils.process_allgather(padded))
    return [pickle.loads(row[:size].tobytes()) for row, size in zip(rows, sizes, strict=True)]


def shared(work: Callable[[], Value]) -> list[Value]:
    """Run ``work`` in each process and return all results in order; all must call it together.

    Raises
    ------
    SharedError
        In all processes, if ``work`` fails in any of them.
    """
    if jax.process_count() == 1:
        return [work()]
    result: Value | None = None
    fault: InputError | None = None
    try:
        result = work()
    except InputError as error:
        fault = error
    except Exception as error:  # of any kind: the other processes must not wait for ever
        traceback.print_exc()
        fault = InputError("--distributed", f"process {jax.process_index()}: {error!r}")
    parts = exchange((result, fault))
    for _, other in parts:
        if other is not None:
            raise SharedError(other.field, other.message, other.file)
    return [value for value, _ in parts]  # type: ignore[misc]  # no fault, so all have a value


def agreed(work: Callable[[], Value]) -> Value:
    """Run ``work`` in each process and return its own result; if it fails in one, all fail."""
    result: list[Value] = []
    shared(lambda: result.append(work()))
    return result[0]


def first_alone(work: Callable[[], Value]) -> Value:
    """Run ``work`` in process 0 only and return its result in all processes."""
    result = shared(lambda: work() if jax.process_index() == 0 else None)[0]
    return result  # type: ignore[return-value]  # None only in the other processes


def together(lists: Iterator[list[Any]]) -> Iterator[list[Any]]:
    """Yield each list of this process joined with the current ones of all others.

    The iteration ends when no process has a further list.
    """
    while True:
        parts = shared(lambda: next(lists, None))
        if all(part is None for part in parts):
            return
        yield [item for part in parts if part is not None for item in part]
