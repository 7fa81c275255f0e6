"""The pooled estimator where centres are not the truth."""

from __future__ import annotations

import numpy as np

from mcjax.chains.layout import network_arrays, real_samples, shape_of, tables_of
from mcjax.laws.first_order.path_bias import bias_of_fit
from mcjax.laws.first_order.population_path import Populations, Reads, fit_of
from mcjax.laws.law import Inapplicable
from mcjax.study.study import Condition


def pooled_mse_on_path(condition: Condition) -> float | None:
    """Return the MSE of the estimator that fits every real sample of a generation, unweighted.

    Each sample counts once, and the penalty of the model, if it has one, is part of the fit. The
    bias of small samples is included where it is known. The result is None if the samples change
    with time.
    """
    net = condition.network
    read = (*net.first, *net.later.feeds)
    if net.later.rows_vary or any(f.keep and f.origin in net.source_index for f in read):
        return None
    populations = Populations(condition)
    tables = tables_of(network_arrays(net, shape_of([net])))
    places = real_samples(tables, net.size)

    def of_all(name: str) -> np.ndarray:
        return np.array([getattr(tables[g], name)[i, b] for g, i, b in places])

    origin, rows = of_all("origin"), of_all("samples")
    reads = Reads(
        data=[populations.of(int(j), condition.theta[None]) for j in origin],
        origin=origin,
        stream=of_all("stream"),
        rows=rows,
        weight=np.ones(len(rows)),
        renewed=np.ones(len(rows), bool),
    )
    fit = fit_of(reads, condition.theta, populations.ridge)
    offset = fit.centre - condition.theta
    spread = np.zeros_like(fit.slope)
    for n, gain, data in zip(rows, fit.gain, fit.data, strict=True):
        spread += gain @ data.covariance(fit.centre, fit.centre) @ gain.T / n
    try:
        curvatures = [data.curvature(fit.centre) for data in fit.data]
    except Inapplicable:
        return float(np.trace(spread) + offset @ offset)
    bias = bias_of_fit(fit, curvatures, spread)
    return float(np.trace(spread) + offset @ offset + 2 * offset @ bias)
