"""Data-mediated interaction: entities that meet in one pool of synthetic data.

K entities have private real data each, public real data in common, and one pool to which every
entity adds what its model generates, and which all of them read. With L(D) the mean loss over a
sample D, entity k minimises

    beta_0 L(private_k) + (1 - beta_0) L(public)                                  at generation 0,
    (1 - alpha_t) (beta_t L(private_k) + (1 - beta_t) L(public))
        + alpha_t / K sum_j L(pool_{t,j})                                         at t = 1, 2, ...

(Vu, Reeves & Wenger, ICLR 2026, arXiv 2505.21677; pool_{t,j} is what the model of entity j at
generation t - 1 generates). A mean loss of n observations is n losses of weight 1 / n. Covariates
of the pool are those of the study, whatever an entity sees in private: who reads synthetic data
does not know whose they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mcjax.arguments import checked
from mcjax.errors import InputError
from mcjax.network.build import build_network
from mcjax.network.network import Network
from mcjax.network.source import RealData, Source
from mcjax.numbers import how_many

Row = tuple[str, str, int, list[float]]
"""A feed with its weights by generation."""

PUBLIC = "public"
"""The name of the source of common real data."""

MOST_ENTITIES = 2000
"""Every entity reads every other one, in four million feeds."""


def private_source(entity: str) -> str:
    """Return the name of the source of an entity's private data."""
    return f"private {entity}"


@checked
def data_mediated(
    entities: int | Iterable[str],
    alpha: float | Sequence[float],
    beta: float | Sequence[float],
    private: int | Sequence[int],
    public: int,
    synthetic: int | Sequence[int],
    theta: Sequence[Sequence[float]] | None = None,
    shift: Sequence[Sequence[float]] | None = None,
    covariance: Sequence[Any] | None = None,
    noise: float | Sequence[float] | None = None,
    real: RealData = "reused",
) -> Network:
    """Return the network of data-mediated interaction.

    Parameters
    ----------
    entities : int or iterable of str
        Names, or how many.
    alpha : float or sequence of float
        Weight of the pool, 0 to 1, or one for each generation 1, 2, ...; the last one stays.
    beta : float or sequence of float
        Weight of private among real data, 0 to 1, or one for each generation 0, 1, ...
    private : int or sequence of int
        Samples of each entity's private data: one number for all, or one for each.
    public : int
        Samples of the common real data.
    synthetic : int or sequence of int
        Samples that each entity adds to the pool: one number for all, or one for each.
    theta, shift, covariance, noise : sequence, optional
        Of the private data of each entity; see :class:`mcjax.Source`.
    real : {"reused", "fresh"}
        Whether real data are the same in every generation, or drawn anew.

    Raises
    ------
    InputError
        If a value is out of range, or a sequence has another length than the entities.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.data_mediated(
    ...     entities=["east", "west"], alpha=0.5, beta=0.5, private=20, public=20, synthetic=20
    ... )
    >>> network.models
    ('east', 'west')
    >>> [source.name for source in network.sources]
    ['private east', 'private west', 'public']
    """
    count = entities if isinstance(entities, int) else len(entities := list(entities))
    if count > MOST_ENTITIES:
        raise InputError("data_mediated.entities", f"is {count:,}; give at most {MOST_ENTITIES:,}")
    names = [str(k) for k in range(count)] if isinstance(entities, int) else entities
    mixing, trust = _schedule("alpha", alpha), _schedule("beta", beta)
    rows, drawn = (
        _each(field, value, count)
        for field, value in (("private", private), ("synthetic", synthetic))
    )
    own = {"theta": theta, "shift": shift, "covariance": covariance, "noise": noise}
    laws = {field: _each(field, value, count) for field, value in own.items() if value is not None}
    sources = [
        Source(private_source(name), rows[k], **{field: of[k] for field, of in laws.items()})
        for k, name in enumerate(names)
    ]
    sources.append(Source(PUBLIC, public, public=True))

    length = max(len(mixing), len(trust) - 1)
    alphas = [mixing[min(t, len(mixing) - 1)] for t in range(length)]
    betas = [trust[min(t, len(trust) - 1)] for t in range(length + 1)]
    inside = [(1 - a) * b for a, b in zip(alphas, betas[1:], strict=True)]
    common = [(1 - a) * (1 - b) for a, b in zip(alphas, betas[1:], strict=True)]
    first: list[Row] = []
    feeds: list[Row] = []
    for k, name in enumerate(names):
        _add(first, (private_source(name), name, rows[k]), [betas[0]])
        _add(first, (PUBLIC, name, public), [1 - betas[0]])
        _add(feeds, (private_source(name), name, rows[k]), inside)
        _add(feeds, (PUBLIC, name, public), common)
        for j, origin in enumerate(names):
            _add(feeds, (origin, name, drawn[j]), [a / count for a in alphas])
    return build_network(names, feeds, draws="shared", real=real, sources=sources, first=first)


def _add(table: list[Row], feed: tuple[str, str, int], shares: list[float]) -> None:
    """Add a feed of mean loss with these weights by generation, if one of them is not 0."""
    samples = feed[-1]
    if any(shares) and samples:
        table.append((*feed, [share / samples for share in shares]))


def _schedule(field: str, value: float | Sequence[float]) -> list[float]:
    values = [value] if isinstance(value, int | float) else list(value)
    for one in values:
        if isinstance(one, bool) or not isinstance(one, int | float) or not 0 <= one <= 1:
            raise InputError(f"data_mediated.{field}", f"has {one!r}; give numbers from 0 to 1")
    if not values:
        raise InputError(f"data_mediated.{field}", "is empty; give a number")
    return [float(one) for one in values]


def _each(field: str, value: Any, count: int) -> list[Any]:
    """One value for each entity."""
    if isinstance(value, int | float):
        return [value] * count
    values = list(value)
    if len(values) != count:
        raise InputError(
            f"data_mediated.{field}",
            f"has {how_many(len(values), 'entry')}; give {count}, one an entity",
        )
    return values
