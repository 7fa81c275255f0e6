"""Random study files with sources of all kinds, and what the laws predict for them."""

from dataclasses import dataclass

import numpy as np
from diagnosed import diagnose_file

from mcjax.diagnosis import Diagnosis
from mcjax.errors import InputError
from mcjax.laws.first_order.m_estimators import FirstOrder
from mcjax.laws.law import Inapplicable
from mcjax.laws.prediction import Prediction
from mcjax.study.load import load_study
from mcjax.study.study import Condition

FAMILIES = ("linear", "logistic", "poisson")
TRUTH = {1: [0.4], 2: [0.4, -0.3]}
OTHERS = {1: [[-0.5], [1.2], [0.4]], 2: [[-0.5, 0.2], [1.1, -0.3], [0.4, -0.3]]}
COVARIANCES = {
    1: [[[1.0]], [[2.0]]],
    2: [
        [[1.0, 0.0], [0.0, 1.0]],
        [[2.0, 0.0], [0.0, 2.0]],
        [[1.0, 0.6], [0.6, 0.5]],
        [[1.0, 0.0], [0.0, 0.0]],
        [[0.0, 0.0], [0.0, 1.0]],
        [[0.1, 0.3], [0.3, 1.0]],
    ],
}
OPPOSED = [[[0.01, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 0.01]]]
OPPOSED_REAL = [[[1.0, 0.3], [0.3, 0.1]], [[0.1, 0.3], [0.3, 1.0]]]
THIN = [*OPPOSED, *OPPOSED_REAL]


def study_text(rng: np.random.Generator) -> str:
    """A study file with 2 to 5 models and up to 2 sources of their own."""
    size, p = int(rng.integers(2, 6)), int(rng.integers(1, 3))
    models = [f"m{i}" for i in range(size)]
    opposed = p == 2 and rng.random() < 0.2  # a pair that may explode
    sources = ["u", "v"][: 2 if opposed else int(rng.integers(0, 3))]
    own = []
    for k, name in enumerate(sources):
        lines = [f'name = "{name}"', "samples = 200"]
        if rng.random() < (0.2 if opposed else 0.5):
            lines.append(f"theta = {OTHERS[p][rng.integers(len(OTHERS[p]))]}")
        if opposed:
            lines.append(f"covariance = {OPPOSED_REAL[k]}")
        elif rng.random() < 0.5:
            lines.append(f"covariance = {COVARIANCES[p][rng.integers(len(COVARIANCES[p]))]}")
        own.append("\n".join(["[[network.sources]]", *lines]))
    chance = rng.choice([0.3, 0.5])
    reads = {
        i: [j for j in models if rng.random() < chance]
        + [s for s in (*sources, "real") if rng.random() < 0.2]
        for i in models
    }
    if opposed:
        reads |= {"m0": ["m1", "u"], "m1": ["m0", "v"]}
    frozen = [i for i in models if rng.random() < 0.15]
    feeds = [
        f'{{ from = "{j}", to = "{i}", samples = {int(rng.integers(1, 5)) * 100} }}'
        for i in models
        if i not in frozen
        for j in reads[i]
    ]
    first = [
        f'[[network.first]]\nfrom = "{j}"\nto = "{i}"\nsamples = 300'
        for i in models
        if sources and rng.random() < 0.15
        for j in ("real", str(rng.choice(sources)))
    ]
    begun = {line.split('"')[3] for line in first}
    initial = ", ".join(f"{i} = 400" for i in models if i not in begun)
    kinds = COVARIANCES[p] if p == 1 else [*COVARIANCES[p][:3], *THIN]
    differ = opposed or rng.random() < 0.3
    seen = {i: kinds[rng.integers(len(kinds))] for i in models if rng.random() < 0.5}
    if opposed:
        seen |= {"m0": OPPOSED[0], "m1": OPPOSED[1]}
    return "\n".join(
        [
            "[network]",
            f"models = {models}",
            f"initial = {{ {initial} }}" if initial else "",
            f"feeds = [{', '.join(feeds)}]",
            *own,
            *first,
            "[covariates.models]",
            *(f"{i} = {rows}" for i, rows in seen.items() if differ),
            "[family]",
            f'name = "{rng.choice(FAMILIES)}"',
            f"theta = {TRUTH[p]}",
        ]
    )


@dataclass(frozen=True)
class Case:
    """A file, its diagnosis and its first-order law."""

    text: str
    condition: Condition
    found: Diagnosis
    law: Prediction


def cases(folder, count: int, seed: int, generations: int):
    """Cases in which the covariates of every fit determine every parameter."""
    rng, made = np.random.default_rng(seed), 0
    path = folder / "generated.toml"
    while made < count:
        text = study_text(rng)
        path.write_text(text)
        try:
            [condition] = load_study(path).conditions
        except InputError:
            continue
        law = FirstOrder()
        if law.applies(condition) is None:
            try:
                predicted = law.predict(condition, generations)
            except Inapplicable:  # perhaps because errors become too large
                try:
                    predicted = law.predict(condition, 1)
                except Inapplicable:
                    continue
            yield Case(text, condition, diagnose_file(path), predicted)
            made += 1
