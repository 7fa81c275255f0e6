"""The directions of errors that last: the space of eigenvalue 1 of a transition A.

A strongly connected component of which ``I - A`` is far from singular has no part in it. Let S be
the coordinates of the others and F the rest. Eliminating F from ``(I - A) x = 0`` leaves

    G x_S = 0    with    G = I - A_SS - A_SF (I - A_FF)^-1 A_FS ,

and ``x_F = (I - A_FF)^-1 A_FS x_S``; from the left alike. Where nothing is read from outside of a
component, as in a collapse origin, G is block diagonal, so that small matrices are decomposed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import qr, solve_triangular
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

FAR = 1e9
"""Norm of the inverse of ``I - A`` from which a component may have the eigenvalue 1."""
ROUNDING = 1e-12
"""Pivots of ``I - A`` up to this are zero."""


class Lasting(NamedTuple):
    """Bases of the space of eigenvalue 1, of k dimensions, with ``left' right = I``.

    Attributes
    ----------
    right, left : ndarray, shape (n, k)
        Right and left eigenvectors of A.
    """

    right: Float[np.ndarray, "n k"]
    left: Float[np.ndarray, "n k"]


def lasting(transition: Float[np.ndarray, "n n"]) -> Lasting:
    """Return the space of eigenvalue 1 of a transition whose other eigenvalues are smaller."""
    near = _near(transition)
    some, rest = np.flatnonzero(near), np.flatnonzero(~near)
    own, into = transition[np.ix_(some, some)], transition[np.ix_(rest, some)]
    off, back = transition[np.ix_(some, rest)], transition[np.ix_(rest, rest)]
    off_rest = np.eye(len(rest)) - back
    right, left = _null_spaces(np.eye(len(some)) - own - off @ np.linalg.solve(off_rest, into))
    found = Lasting(*np.zeros((2, len(transition), right.shape[1])))
    found.right[some], found.left[some] = right, left
    found.right[rest] = np.linalg.solve(off_rest, into @ right)
    found.left[rest] = np.linalg.solve(off_rest.T, off.T @ left)
    return found._replace(left=np.linalg.solve(found.left.T @ found.right, found.left.T).T)


def _near(transition: Float[np.ndarray, "n n"]) -> Bool[np.ndarray, " n"]:
    """Return the coordinates of components that may have the eigenvalue 1."""
    count, label = connected_components(csr_array(transition), connection="strong")
    sizes = np.bincount(label, minlength=count)
    near: np.ndarray = np.abs(1 - np.diagonal(transition)) < 1 / FAR
    for part in np.flatnonzero(sizes > 1):
        members = np.flatnonzero(label == part)
        block = np.eye(len(members)) - transition[np.ix_(members, members)]
        near[members] = np.linalg.cond(block, 1) > FAR * np.linalg.norm(block, 1)
    return near


def _null_spaces(matrix: Float[np.ndarray, "s s"]) -> tuple[np.ndarray, np.ndarray]:
    """Return bases of the right and left null spaces, part by part, both of shape (s, k)."""
    count, label = connected_components(csr_array(matrix), directed=False)
    right, left = [np.zeros((len(matrix), 0))], [np.zeros((len(matrix), 0))]
    for part in range(count):
        members = np.flatnonzero(label == part)
        q, r, order = qr(matrix[np.ix_(members, members)], pivoting=True)
        rank = int((np.abs(np.diagonal(r)) > ROUNDING).sum())
        null = np.vstack(
            [-solve_triangular(r[:rank, :rank], r[:rank, rank:]), np.eye(len(r) - rank)]
        )
        for found, vectors in ((right, null[np.argsort(order)]), (left, q[:, rank:])):
            found.append(np.zeros((len(matrix), len(r) - rank)))
            found[-1][members] = vectors
    return np.hstack(right), np.hstack(left)
