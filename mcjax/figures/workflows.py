"""Draw published results on collapse in six panels: simulated points with 95% bands, and laws."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from mcjax import api
from mcjax.figures.files import save
from mcjax.models.gaussian import gaussian
from mcjax.models.generative import categorical
from mcjax.models.location import linear
from mcjax.models.model import Model
from mcjax.network import Network, topologies
from mcjax.network.memory import MemoryName
from mcjax.plot.style import MARKERS, PALETTE, figure
from mcjax.published.entry import ConditionResult, functional, risk_ratio
from mcjax.published.memory import graphs
from mcjax.published.weights import best_weight, settled_risk, weighted_loop
from mcjax.study.study import Study, condition

LAST, P, N = 20, 5, 10_000


class Curve(NamedTuple):
    """A curve of a panel: simulated numbers with standard errors, and those of one law."""

    name: str
    law: str
    quantity: str
    x: Sequence[float]
    observed: Sequence[float]
    error: Sequence[float]
    predicted: Sequence[float]


def workflows(folder: Path, chains: int | None) -> list[Path]:
    """Draw memory, weights, graphs, growing samples, normal and categorical models."""
    risk, fits = "risk / risk of the first fit", "fits T"
    panels: list[tuple[Callable[[int], list[Curve]], str, str, str]] = [
        (_memory, "what is kept of the past", fits, risk),
        (
            _weights,
            "weight of fresh real data",
            "weight w",
            "settled risk\n/ risk of the first fit",
        ),
        (
            _graphs,
            "accumulating on graphs",
            fits,
            "models \N{MULTIPLICATION SIGN} risk\n/ risk of the first fit",
        ),
        (_growing, "samples that grow like t^a", fits, risk),
        (_normal, "normal, 10 rows a fit", "generation", "variance, deviation"),
        (_categorical, "categorical, 50 rows a fit", "generation", "chance, diversity"),
    ]
    rows: list[dict[str, Any]] = []
    with figure(2, 3, 4.8) as (fig, axes):
        for panel, (make, title, x, y) in zip(axes.flat, panels, strict=True):
            curves = make(chains or 8192)
            _draw(panel, curves)
            panel.set(title=title.replace("t^a", "$t^a$"), xlabel=x, ylabel=y)
            rows += _rows(title, x, curves)
        axes[0, 0].set_yscale("log")
        axes[1, 1].set_ylim(bottom=0)  # room for the legend
        axes[0, 2].set_xscale("log")
        dashed: Any = {"color": "0.6", "linewidth": 0.8, "linestyle": "--"}
        axes[0, 1].plot([0.3, 0.9], [0.3, 0.9], label="w, the least risk", **dashed)
        axes[0, 2].axhline(math.pi**2 / 6, label="$\\pi^2/6$", **dashed)
        for panel in axes[0, 1:]:
            panel.legend(fontsize=7)
        about = "What is published about collapse, simulated"
        columns = {
            "condition": "the curve",
            "x": "where the point stands on the horizontal axis, see axis",
            "axis": "what that axis counts",
        }
        return save(fig, folder, "workflows", rows=rows, about=about, columns=columns)


def _draw(axes: Axes, curves: Sequence[Curve]) -> None:
    for k, curve in enumerate(curves):
        x, mean, error = (np.asarray(v) for v in (curve.x, curve.observed, curve.error))
        colour, half = PALETTE[k], 1.96 * error
        axes.plot(x, curve.predicted, color=colour, linewidth=1)
        axes.fill_between(x, mean - half, mean + half, color=colour, alpha=0.25, linewidth=0)
        some = (
            np.unique(np.geomspace(1, len(x), 16).astype(int)) - 1 if len(x) >= 25 else slice(None)
        )
        axes.plot(x[some], mean[some], MARKERS[k], color=colour, markersize=3, label=curve.name)
    axes.legend(fontsize=7)


def _rows(title: str, axis: str, curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """Return a row for each point; points on the axis of weights are at the last generation."""
    first = {"generation": 0, "fits T": 1}
    return [
        {"panel": title, "condition": curve.name}
        | {"generation": int(x) - first[axis] if axis in first else LAST}
        | {"law": curve.law, "quantity": curve.quantity, "axis": axis, "x": x}
        | {"empirical": observed, "standard_error": error, "predicted": predicted}
        for curve in curves
        for x, observed, error, predicted in zip(
            curve.x, curve.observed, curve.error, curve.predicted, strict=True
        )
    ]


def _results(
    networks: Mapping[str, Network], model: Model, theta: Any, last: int, chains: int
) -> list[ConditionResult]:
    conditions = tuple(condition(net, model, theta, label=name) for name, net in networks.items())
    study = Study(conditions, last, chains)
    parts = zip(study.conditions, api.simulate(study), api.predict(study), strict=True)
    return [ConditionResult(c, tally.outcome, laws) for c, tally, laws in parts]


def _risks(
    networks: Mapping[str, Network], last: int, chains: int, scale: Sequence[float] | None = None
) -> list[Curve]:
    """Return curves of the risk over that of the first fit; ``scale`` multiplies each curve."""
    results = _results(networks, linear(), np.ones(P), last=last, chains=chains)
    curves = []
    for place, name in enumerate(networks):
        factor = 1.0 if scale is None else scale[place]
        readers = [risk_ratio("first_order", t, place) for t in range(last + 1)]
        estimates = [observe(results) for observe, _ in readers]
        observed = [factor * estimate.value for estimate in estimates]
        error = [factor * estimate.error for estimate in estimates]
        predicted = [factor * predict(results) for _, predict in readers]
        fits = range(1, last + 2)
        curves.append(
            Curve(
                name,
                "first_order",
                "risk",
                x=fits,
                observed=observed,
                error=error,
                predicted=predicted,
            )
        )
    return curves


def _memory(chains: int) -> list[Curve]:
    def loop(n: int, memory: MemoryName) -> dict[str, Network]:
        return {memory: topologies.self_loop(samples=n, initial=n, memory=memory)}

    [forgets], [keeps] = (
        _risks(loop(N, "replace"), LAST, chains),
        _risks(loop(N, "accumulate"), LAST, chains),
    )
    return [forgets, keeps, *_risks(loop(250, "subsample"), LAST, chains)]


def _weights(chains: int) -> list[Curve]:
    curves = []
    for ratio in (1, 2):
        weights = np.append(np.arange(0.35, 0.96, 0.1), best_weight(ratio))
        weights.sort()
        nets = {f"w={w:.3f}": weighted_loop(float(w), ratio, N) for w in weights}
        points = [(c.observed[-1], c.error[-1]) for c in _risks(nets, LAST, chains)]
        predicted = [settled_risk(float(w), ratio) for w in weights]
        observed, error = zip(*points, strict=True)
        name, quantity = f"{ratio} real : 1 synthetic", "risk in the long run"
        at = weights.tolist()
        curves.append(
            Curve(
                name=name,
                law="first_order",
                quantity=quantity,
                x=at,
                observed=observed,
                error=error,
                predicted=predicted,
            )
        )
    return curves


def _graphs(chains: int) -> list[Curve]:
    nets = graphs(N)
    sizes = [float(net.size) for net in nets.values()]
    return _risks(nets, 10 * LAST, max(64, chains // 2), sizes)


def _growing(chains: int) -> list[Curve]:
    nets = {
        f"a = {a:g}": topologies.self_loop(samples=N, initial=N, growth=a)
        for a in (0.0, 0.5, 1.0, 2.0)
    }
    return [_risks({name: net}, LAST, chains)[0] for name, net in nets.items()]


def _functionals(
    results: list[ConditionResult], wanted: Mapping[str, tuple[str, str, Callable[[float], float]]]
) -> list[Curve]:
    """Return curves of the means of functionals.

    ``wanted`` holds the name of the functional, its law and a map of its mean, by title.
    """
    curves = []
    for title, (name, law, shown) in wanted.items():
        readers = [functional(name, law, t) for t in range(LAST + 1)]
        estimates = [observe(results) for observe, _ in readers]
        observed = [shown(s.value) for s in estimates]
        slope = [(shown(s.value + 1e-6) - shown(s.value)) / 1e-6 for s in estimates]
        error = [abs(d) * s.error for d, s in zip(slope, estimates, strict=True)]
        predicted = [shown(predict(results)) for _, predict in readers]
        curves.append(
            Curve(
                title,
                law,
                name,
                x=range(LAST + 1),
                observed=observed,
                error=error,
                predicted=predicted,
            )
        )
    return curves


def _same(value: float) -> float:
    return value


def _normal(chains: int) -> list[Curve]:
    net = {"": topologies.self_loop(samples=10, initial=10)}
    wanted = {
        "mean variance": ("variance", "generative", _same),
        "mean deviation": ("deviation", "lineage", _same),
        "exp mean log deviation": ("log_deviation", "lineage", math.exp),
    }
    return _functionals(_results(net, gaussian(), [0.0, 1.0], last=LAST, chains=8 * chains), wanted)


def _categorical(chains: int) -> list[Curve]:
    net = {"": topologies.self_loop(samples=50, initial=50)}
    wanted = {
        "rare class (.1) extinct": ("rarest_extinct", "extinction", _same),
        "diversity": ("heterozygosity", "generative", _same),
    }
    return _functionals(_results(net, categorical(), [0.1, 0.9], last=LAST, chains=chains), wanted)
