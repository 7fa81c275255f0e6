"""Mixtures fitted by EM and smoothed frequencies of words, against their laws.

    python benchmarks/learned_distributions.py [PART ...] [--out FILE]

``mixtures`` has three normal components in two dimensions, with centres at the distance ``apart``
from the origin, of three models: ``loop`` reads itself, ``half`` reads itself and as many real
rows, ``reader`` reads the loop and as many real rows. ``ratio`` is the mean over chains of the
squared error, whitened by the information, over the first-order law, with its standard error and
the median over chains, by generation.

``overlap`` has two components of one normal distribution that read themselves alone: the overall
variance and the squared error of the overall mean, with standard errors, beside the exact law.

``words`` has the 199 commonest words of the topics of Python's help and all others as one class, in
a network of a loop, its half real reader, a half real loop and its reader: 1,000 times the squared
error of all frequencies and the classes left, with and without smoothing, beside the exact laws.

``pairs`` has the characters of that text, 27 with the space, in the same network: fits of 4,000
characters, as texts of 2,000, with smoothing of every pair. It has the squared error of frequencies
over the law of first order, with its standard error, by generation and model, and the excess cross
entropy in nats of generations 0 and 8, with its standard error.

Each part says how many fits ended how, and the processor time in seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import pydoc_data.topics
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from machine import keep

import mcjax
from mcjax.laws.predict import predict_condition

jax.config.update("jax_enable_x64", True)

MIXTURES = {
    "apart 4, 1000 rows": (4.0, 1000, 512, (0, 1, 2, 5)),
    "apart 2.5, 1000 rows": (2.5, 1000, 256, (0, 1, 2, 5)),
    "apart 1.8, 1000 rows": (1.8, 1000, 64, (0, 1, 2, 3)),
    "apart 1.8, 300 rows": (1.8, 300, 64, (0, 1, 2, 3)),
}
"""Distance of centres, rows of a fit, chains and generations."""
SPREADS = [[[1, 0.3], [0.3, 1]], [[1, -0.3], [-0.3, 0.7]], [[0.6, 0], [0, 1.2]]]
OVERLAP = {
    "200 rows": (200, 1024, (1, 10, 20, 50)),
    "1000 rows": (1000, 32, (10, 50, 100, 200, 400)),
}
WORDS, ROWS, CHAINS, TIMES = 200, 2000, 64, (1, 5, 20)
TEXT, TEXTS, LAST = 2000, 60, 8


def ended(outcome: Any) -> dict[str, int]:
    """Return the number of fits by how they ended."""
    counts = outcome.fits.sum((0, 1))
    return {mcjax.Status(code).reason: int(n) for code, n in enumerate(counts) if n}


def with_error(mean: float, error: float) -> list[float]:
    """Return a mean and its standard error, as they are kept."""
    return [float(f"{mean:.5g}"), float(f"{error:.2g}")]


def mixture(apart: float, rows: int, chains: int, times: tuple[int, ...]) -> dict[str, Any]:
    """Return whitened squared errors over the first-order law."""
    angles = 2 * np.pi * np.arange(3) / 3
    truth = {
        "weights": [0.5, 0.3, 0.2],
        "means": apart * np.stack([np.cos(angles), np.sin(angles)], axis=1),
        "covariances": SPREADS,
    }
    half = rows // 2
    network = mcjax.build_network(
        ["loop", "half", "reader"],
        [
            *[("loop", "loop", rows), ("half", "half", half), ("real", "half", half)],
            *[("loop", "reader", half), ("real", "reader", half)],
        ],
        initial=rows,
    )
    case = mcjax.condition(network, mcjax.gaussian_mixture(3, 2), truth)
    law = predict_condition(case, max(times)).laws["first_order"]
    first = law.own_covariances[0, 0]  # the inverse information over the rows
    result: dict[str, Any] = {"chains": chains, "trace": float(rows * np.trace(first))}
    for t in times:  # errors of single chains are kept of the last generation
        [tally] = mcjax.simulate(mcjax.Study((case,), generations=t, chains=chains))
        errors = np.asarray(tally.outcome.sample, float)
        solved = np.linalg.solve(first, np.moveaxis(errors, 2, 0).reshape(len(first), -1))
        squares = (np.moveaxis(errors, 2, 0) * solved.reshape(-1, chains, 3)).mean(0)
        for i, name in enumerate(network.models):
            own = squares[:, i] / (law.own_covariances[t, i, 0, 0] / first[0, 0])
            own = own[np.isfinite(own)]
            mean = with_error(own.mean(), own.std(ddof=1) / math.sqrt(len(own)))
            result.setdefault(name, {})[str(t)] = [*mean, round(float(np.median(own)), 3)]
    outcome = tally.outcome
    fits = outcome.fits.sum()
    return result | {"fits": ended(outcome), "steps": round(float(outcome.steps / fits), 1)}


def overlap(rows: int, chains: int, times: tuple[int, ...]) -> dict[str, Any]:
    """Return the overall moments of two components of one normal distribution."""
    spread = np.diag([0.75, 1.0])
    truth = {"weights": [0.5, 0.5], "means": [[-0.5, 0], [0.5, 0]], "covariances": [spread] * 2}
    loop = mcjax.topologies.self_loop(samples=rows, initial=rows)
    case = mcjax.condition(loop, mcjax.gaussian_mixture(2, 2, floor=1e-3), truth)
    study = mcjax.Study((case,), generations=max(times), chains=chains)
    law = predict_condition(case, max(times)).functionals["generative"].values
    [tally] = mcjax.simulate(study)
    moments = tally.outcome.moments.functional
    result: dict[str, Any] = {"chains": chains}
    for k, functional in enumerate(case.model.functionals):
        for t in times:
            found = with_error(moments.mean[t, 0, k], moments.standard_error()[t, 0, k])
            told = float(f"{law[functional.name][t, 0]:.5g}")
            result.setdefault(functional.name, {})[str(t)] = [*found, told]
    return result | {"fits": ended(tally.outcome)}


def network_of(rows: int) -> mcjax.Network:
    """Return a loop, its half real reader, a half real loop and its reader."""
    half = rows // 2
    return mcjax.build_network(
        ["loop", "reader of the loop", "half", "reader of half"],
        [
            ("loop", "loop", rows),
            *[("loop", "reader of the loop", half), ("real", "reader of the loop", half)],
            *[("half", "half", half), ("real", "half", half), ("half", "reader of half", rows)],
        ],
        initial=rows,
    )


def words(smoothing: float) -> dict[str, Any]:
    """Return errors of the frequencies of words."""
    text = " ".join(pydoc_data.topics.topics.values()).lower()
    counts = Counter(re.findall("[a-z]+", text))
    common = [count for _, count in counts.most_common(WORDS - 1)]
    truth = np.array([*common, counts.total() - sum(common)]) / counts.total()
    network = network_of(ROWS)
    model = mcjax.unigram(smoothing) if smoothing else mcjax.categorical()
    case = mcjax.condition(network, model, truth)
    law = predict_condition(case, max(TIMES)).laws["smoothed" if smoothing else "generative"]
    study = mcjax.Study((case,), generations=max(TIMES), chains=CHAINS, chunk=8)
    [tally] = mcjax.simulate(study)
    moments = tally.outcome.moments
    result: dict[str, Any] = {"chains": CHAINS}
    for t in TIMES:
        errors = moments.squared.mean[t], moments.squared.standard_error()[t], law.mse[t]
        rows = [
            [*with_error(1e3 * mean, 1e3 * error), float(f"{1e3 * told:.5g}")]
            for mean, error, told in zip(*errors, strict=True)
        ]
        result.setdefault("squared error, 1e-3", {})[str(t)] = rows
    names = [functional.name for functional in case.model.functionals]
    if "richness" in names:
        left = moments.functional.mean[max(TIMES), :, names.index("richness")]
        result["classes left"] = [round(float(value), 1) for value in left]
    return result


def pairs(smoothing: float) -> dict[str, Any]:
    """Return errors of the frequencies of characters after each character."""
    alphabet = " abcdefghijklmnopqrstuvwxyz"
    text = re.sub("[^a-z]+", " ", " ".join(pydoc_data.topics.topics.values()).lower())
    symbols = np.array([alphabet.index(character) for character in text])
    counts = np.full((27, 27), 0.01)
    np.add.at(counts, (symbols[:-1], symbols[1:]), 1)
    truth = counts / counts.sum(1, keepdims=True)
    model = mcjax.bigram(length=TEXT, smoothing=smoothing)
    case = mcjax.condition(network_of(2), model, truth.ravel())
    law = predict_condition(case, LAST).functionals["pairs"].values["pair_error"]
    often = np.linalg.matrix_power(truth, 200)[0]
    result: dict[str, Any] = {"chains": TEXTS}
    for t in (0, LAST):
        [tally] = mcjax.simulate(mcjax.Study((case,), generations=t, chains=TEXTS))
        fitted = (np.asarray(tally.outcome.sample, float) + case.theta).reshape(-1, 4, 27, 27)
        excess = -np.einsum("c,cd,nmcd->nm", often, truth, np.log(fitted / truth))
        errors = excess.std(0, ddof=1) / math.sqrt(len(excess))
        result[f"excess entropy, t = {t}"] = [
            with_error(*pair) for pair in zip(excess.mean(0), errors, strict=True)
        ]
    moments = tally.outcome.moments.functional
    for t in (0, 1, 4, LAST):
        numbers = moments.mean[t, :, 0] / law[t], moments.standard_error()[t, :, 0] / law[t]
        rows = [with_error(*pair) for pair in zip(*numbers, strict=True)]
        result.setdefault("ratio", {})[str(t)] = rows
    return result


PARTS: dict[str, dict[str, Callable[[], dict[str, Any]]]] = {
    "mixtures": {name: lambda s=setting: mixture(*s) for name, setting in MIXTURES.items()},
    "overlap": {name: lambda s=setting: overlap(*s) for name, setting in OVERLAP.items()},
    "words": {f"smoothing {alpha:g}": lambda a=alpha: words(a) for alpha in (0.0, 0.5)},
    "pairs": {f"smoothing {alpha:g}": lambda a=alpha: pairs(a) for alpha in (0.02, 0.5)},
}


def main() -> None:
    """Run some parts, and keep what they find beside what is known of the others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "parts", nargs="*", help="of mixtures, overlap, words and pairs", default=[*PARTS]
    )
    default = Path(__file__).parent / "results" / "learned_distributions.json"
    parser.add_argument("--out", type=Path, default=default)
    given = parser.parse_args()
    result = {}
    if given.out.exists():
        result = json.loads(given.out.read_text(encoding="utf-8"))["results"]
    for part in given.parts:
        result[part] = {}
        for name, run in PARTS[part].items():
            begin = time.process_time()
            result[part][name] = run()
            result[part][name]["processor seconds"] = round(time.process_time() - begin, 1)
            print(part, name, json.dumps(result[part][name]), flush=True)
    keep(given.out, result)


if __name__ == "__main__":
    main()
