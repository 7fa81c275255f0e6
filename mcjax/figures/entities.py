"""Draw what language models of two entities learn of each other's text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mcjax.figures.files import save
from mcjax.generators.judge import verify_generators
from mcjax.generators.load import load_generators
from mcjax.generators.study import GeneratorStudy
from mcjax.generators.transfer import COMMON, OTHERS, OWN, transfers
from mcjax.plot.style import MARKERS, PALETTE, figure
from mcjax.study.load import builtin_file
from mcjax.verdicts.estimates import estimate_mean

TITLES = {
    OWN: "own text",
    OTHERS: "the other's text",
    COMMON: "public text",
    "divergence": "generated texts",
}
"""Titles of the panels, by what they show."""


def entities(folder: Path, chains: int | None) -> list[Path]:
    """Draw changes of losses by whose text they are of, and how alike generated texts are.

    Bars are two standard errors.
    """
    rows: list[dict[str, Any]] = []
    study = study_of(chains)
    verification = verify_generators(study)
    parts = zip(study.conditions, verification.measures, verification.values, strict=True)
    with figure(1, len(TITLES), 2.4) as (fig, panels):
        for part, colour, marker in zip(parts, PALETTE, MARKERS, strict=False):
            condition, names, values = part
            alpha = condition.name.partition("=")[2]
            curves = transfers(condition.network.models, names, values)
            curves |= {"divergence": values[:, :, 0, names.index("divergence")]}
            for axes, (key, title) in zip(panels[0], TITLES.items(), strict=True):
                at = [estimate_mean(own[np.isfinite(own)]) for own in curves[key].T]
                mean, error = np.array([(one.value, one.error) for one in at]).T
                style: Any = {"color": colour, "markersize": 3, "label": f"alpha = {alpha}"}
                axes.errorbar(np.arange(len(at)), mean, 2 * error, fmt=f"{marker}-", **style)
                axes.set(title=title, xlabel="generation")
                rows += [
                    {"alpha": alpha, "generation": t, "law": "", "quantity": key}
                    | {"empirical": f"{one.value:.6g}", "standard_error": f"{one.error:.3g}"}
                    | {"chains": len(values)}
                    for t, one in enumerate(at)
                ]
        panels[0, 0].set_ylabel("change of loss in nats")
        panels[0, -1].set_ylabel("divergence in nats")
        lines = panels[0, 0].get_legend_handles_labels()
        fig.legend(*lines, loc="outside upper center", ncols=len(study.conditions))
        columns = {
            "law": "none: no law is known",
            "quantity": "change since generation 0 of the loss in nats a character, mean over two"
            " entities, or Jensen-Shannon divergence of generated pairs of characters in nats",
        }
        about = "What language models of two entities learn of each other's text"
        return save(fig, folder, "entities", rows=rows, about=about, columns=columns)


def study_of(chains: int | None) -> GeneratorStudy:
    """Return the built-in study of entities."""
    study = load_generators(builtin_file("lm-entities"))
    assert study is not None
    return study if chains is None else replace(study, chains=chains)
