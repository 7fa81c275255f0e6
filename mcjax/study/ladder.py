"""A ladder of sample sizes: a condition at several scales."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mcjax.arguments import checked
from mcjax.errors import InputError
from mcjax.study.study import Condition, condition


@checked
def ladder(base: Condition, scales: Iterable[float]) -> tuple[Condition, ...]:
    """Return a condition at several sizes, with independent draws for each size.

    Parameters
    ----------
    base : Condition
        The condition at scale 1.
    scales : iterable of float
        Factors of all its sample counts.

    Returns
    -------
    tuple of Condition
        One for each scale.

    Raises
    ------
    InputError
        If a scale does not give whole sample counts, and as in :func:`condition`.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.logistic(), theta=[1.0])
    >>> [rung.network.initial for rung in mcjax.ladder(condition, [1, 2, 4])]
    [(100,), (200,), (400,)]
    """
    given = base.model.covariates != 0 and base.data is None
    begin = int(base.intercept)  # beside which covariances are given
    rungs = []
    for scale in scales:
        label, name = (
            ", ".join(filter(None, (part, f"scale={scale:g}"))) for part in (base.label, base.name)
        )
        rung = condition(
            base.network.scaled(scale),
            base.model,
            base.theta if base.data is None else None,  # what fits the data
            base.covariance[begin:, begin:] if given else None,
            label=label,
            seed=base.seed,
            name=name,
            design=base.design,
            estimator=base.estimator,
            own_covariances=None
            if base.own_covariances is None
            else {
                model: moments[begin:, begin:]
                for model, moments in zip(base.network.models, base.own_covariances, strict=True)
            },
            data=base.data,
            intercept=base.intercept,
        )
        rungs.append(replace(rung, ladder=base.name, scale=float(scale)))
    if not rungs:
        raise InputError("scales", "is empty; give factors of the sample counts")
    return tuple(rungs)
