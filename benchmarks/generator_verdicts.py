"""Verdicts on generators whose truth is known: how often they are wrong, and what they find.

    python benchmarks/generator_verdicts.py [--tables 1000] [--out FILE]

Every model estimates the mean of a normal law with 20 independent coordinates of variance 1 from
50 rows. The estimates have mean 0, whatever the network, and the law of their mean square follows
from it. Networks are a zoo (a self-loop, its half real reader, a half real loop and its reader), a
frozen teacher with readers, and the same after the teacher reads one of them. Each table is a study
of 8, 16 or 64 chains.

``false`` has the shares of single claims that are decided wrongly at a level of 5% and of 1%: that
a mean which is 0 grows or flips, that it drifts or differs where models are equal in law, that
squares differ there by more than the tolerance; and, for differences moved to the edge of the
tolerance, that they lie within, or beyond. ``any`` is the share of whole studies with a wrong
verdict at a confidence of 90%, and ``found`` that of true claims which are verified at 99%.
``shifted`` is the share of claims that are refuted at 99% where models are compared with the
generation of the self-loop after theirs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import jax
import numpy as np
from machine import keep

import mcjax
from mcjax.generators.contrasts import within_share
from mcjax.generators.equality import contrasts_of
from mcjax.generators.judge import claims_of
from mcjax.generators.simulate import measures_of, simulate
from mcjax.verdicts.cells import settle
from mcjax.verdicts.claims import Place

jax.config.update("jax_enable_x64", True)

ROWS, HALF, COORDINATES, GENERATIONS, TOLERANCE = 50, 25, 20, 10, 0.3
CHAINS, LEVELS = (8, 16, 64), (0.05, 0.01)
READERS = [("0", "1", ROWS), ("1", "2", ROWS), ("2", "3", HALF), ("real", "3", HALF)]
FEEDS = {
    "zoo": [
        *[("0", "0", ROWS), ("0", "1", HALF), ("real", "1", HALF)],
        *[("2", "2", HALF), ("real", "2", HALF), ("2", "3", ROWS)],
    ],
    "stable": READERS,
    "flip": [*READERS, ("2", "0", ROWS)],
}
MOVES = ("growth(mean)", "flip(mean)")
PLACE = Place("", "", 0, "", law="")


def study(chains: int) -> mcjax.GeneratorStudy:
    """Return the three networks, the last two of which are paired."""
    conditions = tuple(
        mcjax.GeneratorCondition(
            mcjax.build_network(4, feeds, initial=ROWS),
            GAUSSIAN,
            name=name,
            label="" if name == "zoo" else "paired",
        )
        for name, feeds in FEEDS.items()
    )
    return mcjax.GeneratorStudy(conditions, GENERATIONS, chains, tolerance=TOLERANCE)


GAUSSIAN = mcjax.Generator(
    init=lambda key: (),
    fit=lambda key, params, rows: rows.mean(0),
    sample=lambda key, params, n: params + jax.random.normal(key, (n, COORDINATES)),
    measure=lambda key, params, rows: {"mean": params.mean(), "square": (params**2).mean()},
    real=lambda key, n: jax.random.normal(key, (n, COORDINATES)),
    name="gaussian",
)


def is_wrong(quantity: str, verdict: str) -> bool:
    """Return whether a verdict is wrong; all claims are true but that a mean moves."""
    return verdict == ("verified" if quantity in MOVES else "refuted")


def rates(chains: int, tables: int, values: tuple[np.ndarray, ...]) -> dict[str, object]:
    """Return the rates of some tables, each of so many of the chains."""
    made = study(chains)
    names = measures_of(made)
    false: dict[str, list[float]] = {}
    found: dict[str, list[bool]] = {}
    wrong, shifted = [], []
    for k in range(tables):
        own = [of_one[k * chains : (k + 1) * chains] for of_one in values]
        claims = claims_of(made, own, names)
        for claim in claims:
            kind = claim.place.quantity
            if kind in MOVES:
                false.setdefault(kind, []).append(claim.within)
            if kind in ("drift(mean)", "equal(mean)", "equal(square)"):
                false.setdefault(kind, []).append(claim.beyond)
        for one in contrasts_of(made, own):
            gap, change = one.gap[:, 1], one.change[:, 1]
            edge = within_share(PLACE, gap + TOLERANCE * change, change, TOLERANCE, drawn=chains)
            false.setdefault("edge, within", []).append(edge.within)
            false.setdefault("edge, beyond", []).append(edge.beyond)
        cells = settle(claims, 0.9)
        wrong.append(any(is_wrong(cell.quantity, cell.verdict) for cell in cells))
        for cell in settle(claims, 0.99):
            if cell.quantity.endswith("(square)"):
                found.setdefault(cell.quantity, []).append(cell.verdict == "verified")
        late = own[0].copy()
        late[:, 1:-1, 0] = late[:, 2:, 0]
        for cell in settle(claims_of(made, [late, *own[1:]], names), 0.99):
            if cell.quantity == "equal(square)" and cell.condition == "stable":
                shifted.append(cell.verdict == "refuted")
    shares = {
        kind: {f"{level:g}": float(np.mean(np.array(p) < level)) for level in LEVELS}
        for kind, p in false.items()
    }
    return {
        "tables": tables,
        "false": shares,
        "any": float(np.mean(wrong)),
        "found": {kind: float(np.mean(hits)) for kind, hits in found.items()},
        "shifted": float(np.mean(shifted)),
    }


def main() -> None:
    """Simulate once, and judge tables of each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=1000)
    default = Path(__file__).parent / "results" / "generator_verdicts.json"
    parser.add_argument("--out", type=Path, default=default)
    given = parser.parse_args()
    tables = {chains: max(1, given.tables * 8 // max(chains, 16)) for chains in CHAINS}
    values = simulate(study(max(chains * count for chains, count in tables.items()))).values
    result = {
        **{"rows": ROWS, "generations": GENERATIONS, "tolerance": TOLERANCE},
        "chains": {str(chains): rates(chains, count, values) for chains, count in tables.items()},
    }
    print(json.dumps(result, indent=1))
    keep(given.out, result)


if __name__ == "__main__":
    main()
