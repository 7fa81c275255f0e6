"""Draw data-mediated interaction: who gains, how similar models become, and why errors settle."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mcjax import api
from mcjax.figures.files import save
from mcjax.laws.mediated.efficiency_map import best_weights, efficiency_map, random_designs
from mcjax.laws.mediated.interaction import mediated_moments, mediated_system
from mcjax.models.location import linear
from mcjax.network import data_mediated
from mcjax.plot.style import MARKERS, PALETTE, figure
from mcjax.study.study import Study, condition

ALPHAS = (0.0, 0.5, 1.0)
COUNTS = (1, 2, 4, 8)
DRAWS, GENERATIONS = 8, 12
TRUTHS = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def efficiency_maps(folder: Path, chains: int | None) -> list[Path]:
    """Draw the limit of the relative efficiency of the worst-off entity, over (alpha, beta).

    The exact law is averaged over 8 sets of Gaussian designs of 20 rows with p = 4. Private
    covariates have rank 4 (top) or 2 (bottom). Nothing is simulated.
    """
    alphas, betas = np.linspace(0, 0.96, 25), np.linspace(0.02, 0.98, 25)
    rows: list[dict[str, Any]] = []
    with figure(2, len(COUNTS), 3.8) as (fig, panels):
        for line, rank in zip(panels, (4, 2), strict=True):
            for axes, count in zip(line, COUNTS, strict=True):
                designs = random_designs(count, p=4, rank=rank, rows=(20, 20, 20), draws=DRAWS)
                worst = np.asarray(efficiency_map(designs, alphas, betas)).min(-1)
                best = best_weights(designs)
                mesh = axes.pcolormesh(
                    alphas, betas, worst.T, cmap="viridis", vmin=0, vmax=1, rasterized=True
                )
                star: Any = {"color": "white", "markeredgecolor": "black", "markeredgewidth": 0.6}
                star |= {"markersize": 9, "clip_on": False, "zorder": 3}
                axes.plot(best.alpha, best.beta, "*", **star)
                axes.plot(0.5, 0.5, "o", color="white", markerfacecolor="none", markersize=5)
                axes.set_title(f"K = {count}, rank {rank}: {best.efficiency:.2f}")
                rows += [
                    {"entities": count, "rank": rank, "kind": kind, "alpha": f"{a:.4g}"}
                    | {"beta": f"{b:.4g}", "law": "fixed_design", "quantity": "efficiency"}
                    | {"predicted": f"{e:.5g}"}
                    for kind, a, b, e in [("best", *best)]
                    + [
                        ("grid", a, b, worst[i, j])
                        for i, a in enumerate(alphas)
                        for j, b in enumerate(betas)
                    ]
                ]
        for axes in panels[1]:
            axes.set_xlabel("alpha")
        for axes in panels[:, 0]:
            axes.set_ylabel("beta")
        fig.colorbar(mesh, ax=panels[:, -1], label="relative efficiency")
        columns = {
            "entities": "how many interact",
            "rank": "of private covariates",
            "kind": "a point of the grid, or the best one",
        }
        about = "Relative efficiency in the long run of the entity that is worst off"
        return save(fig, folder, "mediated-map", rows=rows, about=about, columns=columns)


def transfer(folder: Path, chains: int | None) -> list[Path]:
    """Draw MSEs on an entity's own task and on others', and the spread between models.

    Four entities have truths of their own. Points are simulated, and lines show the exact law on
    fixed designs.
    """
    rows: list[dict[str, Any]] = []
    names = {"own": "own task", "others": "tasks of others", "spread": "spread between models"}
    nets = {
        alpha: data_mediated(
            entities=4, alpha=alpha, beta=0.5, private=20, public=20, synthetic=20, theta=TRUTHS
        )
        for alpha in ALPHAS
    }
    conditions = tuple(  # under one label, so on the same designs
        condition(net, linear(), np.zeros(4), name=f"alpha={alpha:g}", design="fixed")
        for alpha, net in nets.items()
    )
    study = Study(conditions, generations=GENERATIONS, chains=chains or 2048)
    parts = zip(ALPHAS, api.predict(study), api.simulate(study), strict=True)
    with figure(1, 3, 2.6) as (fig, panels):
        for (alpha, laws, tally), colour, marker in zip(parts, PALETTE, MARKERS, strict=False):
            law = laws.laws["fixed_design"]
            assert law.mean is not None  # truths differ
            second = law.covariance + _outer(law.mean)
            moments = tally.outcome.moments
            predicted = _tasks(law.mean, second)
            observed = _tasks(moments.error.mean, moments.product.mean)
            style = {"color": colour, "markersize": 3, "label": f"alpha = {alpha:g}"}
            for axes, (key, title) in zip(panels[0], names.items(), strict=True):
                axes.plot(predicted[key], color=colour)
                axes.plot(observed[key], marker, **style)
                axes.set(title=title, xlabel="generation")
                rows += [
                    {"alpha": alpha, "generation": t, "law": "fixed_design", "quantity": key}
                    | {"empirical": f"{b:.6g}", "predicted": f"{a:.6g}"}
                    for t, (a, b) in enumerate(zip(predicted[key], observed[key], strict=True))
                ]
        panels[0, 0].set_ylabel("squared distance")
        panels[0, 2].legend()
        columns = {
            "quantity": "squared distance from the truth of its own task, or of those of"
            " others, or spread between models; mean over four entities"
        }
        about = "What four entities with truths of their own learn of each other"
        return save(fig, folder, "mediated-transfer", rows=rows, about=about, columns=columns)


def homogenisation(folder: Path, chains: int | None) -> list[Path]:
    """Draw the spread between models relative to generation 0, and the eigenvalues of Q.

    Designs are equal or not. With equal designs, differences between errors shrink by (1 - alpha),
    and the spread by its square. All numbers are exact.
    """
    rows: list[dict[str, Any]] = []
    with figure(1, 3, 2.6) as (fig, panels):
        left, middle, right = panels[0]
        for alpha, colour in zip((0.25, 0.5, 0.75, 1.0), PALETTE, strict=False):
            weights = np.full(GENERATIONS + 1, alpha), np.full(GENERATIONS + 1, 0.5)
            for axes, rank in ((left, None), (middle, 2)):
                designs = random_designs(
                    4, p=4, rank=rank or 4, rows=(20, 20, 20), draws=1, distance=1.0
                )
                one = jax.tree.map(operator.itemgetter(0), designs)  # the only set
                if rank is None:
                    same = np.stack([one.public] * 4)
                    one = one._replace(private=same, synthetic=same)
                mean, covariance = (np.asarray(part) for part in mediated_moments(one, *weights))
                spread = _tasks(mean.reshape(-1, 4, 4), covariance + _outer(mean))["spread"]
                name = "" if rank is None else f"alpha = {alpha:g}"
                axes.plot(spread / spread[0], color=colour, label=name)
                rows += [
                    {"condition": "equal designs" if rank is None else "private rank 2"}
                    | {"alpha": alpha, "generation": t, "law": "fixed_design"}
                    | {"quantity": "spread", "index": 0}
                    | {"predicted": f"{value:.6g}", "imaginary": 0}
                    for t, value in enumerate(spread / spread[0])
                ]
                if rank is None:
                    axes.axhline((1 - alpha) ** 2, color=colour, linestyle=":", linewidth=0.8)
            values = np.linalg.eigvals(np.asarray(mediated_system(one, alpha, 0.5).q))
            right.plot(values.real, values.imag, ".", color=colour, markersize=4)
            rows += [
                {"condition": "private rank 2", "alpha": alpha, "generation": ""}
                | {"law": "fixed_design", "quantity": "eigenvalue", "index": k}
                | {"predicted": f"{v.real:.6g}", "imaginary": f"{v.imag:.6g}"}
                for k, v in enumerate(values)
            ]
        angle = np.linspace(0, 2 * np.pi, 200)
        right.plot(np.cos(angle), np.sin(angle), color="0.6", linewidth=0.8)
        left.plot(
            [],
            [],
            color="0.3",
            linestyle=":",
            linewidth=0.8,
            label="(1 - alpha)\N{SUPERSCRIPT TWO}",
        )
        left.legend()
        left.set(
            title="equal designs", xlabel="generation", ylabel="spread / spread of generation 0"
        )
        middle.set(title="private rank 2", xlabel="generation")
        right.set(title="eigenvalues of the transition", aspect="equal")
        right.set(xlabel="real part (circle: modulus 1)", ylabel="imaginary part")
        middle.legend()
        columns = {
            "condition": "designs of the four entities",
            "quantity": "spread over that of generation 0, or an eigenvalue of Q",
            "index": "number of the eigenvalue",
            "imaginary": "imaginary part of predicted",
        }
        about = "How alike models become that read one pool, and why it settles"
        return save(fig, folder, "mediated-homogenisation", rows=rows, about=about, columns=columns)


def _outer(mean: np.ndarray) -> np.ndarray:
    flat = mean.reshape(len(mean), -1)
    products: np.ndarray = flat[:, :, None] * flat[:, None, :]
    return products


def _tasks(mean: np.ndarray, second: np.ndarray) -> dict[str, np.ndarray]:
    """Return averages over entities by generation, from moments of errors about 0."""
    size, p = mean.shape[1:]
    blocks = second.reshape(-1, size, p, size, p)
    squares = np.einsum("tiaia->ti", blocks)
    truths = np.array(TRUTHS)
    # ||e_i - truth_k||^2 for every pair
    pairs = squares[:, :, None] - 2 * mean @ truths.T + (truths**2).sum(1)
    own = np.einsum("tii->t", pairs) / size
    cross = np.einsum("tiaka->tik", blocks)
    return {
        "own": own,
        "others": (pairs.sum((1, 2)) / size - own) / (size - 1),
        "spread": squares.mean(1) - cross.mean((1, 2)),
    }
