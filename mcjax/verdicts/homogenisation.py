"""How alike models are at the last generation.

Of model i, with e its error and the mean over chains for E:

``spread``, ``E ||e_i - mean over models||^2``, as a ratio to the law's. Summed over models it
shrinks by ``(1 - alpha)^2`` in data-mediated interaction with equal designs
(:mod:`mcjax.laws.mediated`).

``cosine``, the mean over other models k of ``E e_i'G e_k / sqrt(E e_i'G e_i E e_k'G e_k)`` with
G = I: errors. ``public_cosine``: errors of predictions, G the covariance of the covariates of the
study; ``private_cosine``: of those that model i sees in its own real data. These must be within the
tolerance of the law's. Their standard errors are those of the mean of their influence function,

    (e_i'G e_k - m_ik) / sqrt(m_ii m_kk) - c / 2 (e_i'G e_i / m_ii + e_k'G e_k / m_kk - 2) ,

over the chains that are kept (:class:`mcjax.engine.outcome.Outcome`), from fourth moments.
"""

from __future__ import annotations

import math

import numpy as np

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.claims import Claim, lost_note, ratio_claim, student_claim
from mcjax.verdicts.tails import HEAVY, dominated

TOO_FEW = "fewer than 2 chains have every estimate"
KINDS = ("spread", "cosine", "public_cosine", "private_cosine")


def homogenisation_claims(
    condition: str, models: tuple[str, ...], law: Prediction, outcome: Outcome, tolerance: float
) -> list[Claim]:
    """Four for each model (two where covariates are not told), if there are several."""
    size, last = len(models), len(law.mse) - 1
    if size == 1:
        return []
    sample = outcome.sample[np.isfinite(outcome.sample).all((1, 2))].astype(float)
    note = lost_note(len(sample), len(outcome.sample), tolerance)
    counts = len(sample), len(outcome.sample) - len(sample)
    if len(sample) < 2:
        # no mean and no spread: whatever stands here is not judged
        note, sample = note or TOO_FEW, np.full((2, *outcome.sample.shape[1:]), math.nan)
    if not note and (dominated(outcome)[last] > 0).any():
        note = HEAVY
    allowed = np.broadcast_to(law.allowance, law.mse.shape)[last]
    told_second = second_moments(law)
    claims = []
    for i, model in enumerate(models):
        place = condition, model, last
        apart = ((sample[:, i] - sample.mean(1)) ** 2).sum(1)
        told = spread_of(told_second)[i]
        claims.append(
            ratio_claim(
                (*place, "spread", law.law),
                _mean(apart),
                (told, told * _relative_error(law)),
                tolerance,
                *counts,
                note,
                float(allowed[i]),
            )
        )
        for kind, metric in metrics(law, i).items():
            seen, influence = _cosine(sample, metric, i)
            expected = cosine_of(told_second, metric, i)
            error = math.hypot(_mean(influence)[1], _relative_error(law))
            why = note or ("" if math.isfinite(seen + expected) else "an error has no size")
            claims.append(
                student_claim(
                    (*place, kind, law.law),
                    (seen, error),
                    (expected, math.nan),
                    (seen - expected, error),
                    abs(seen - expected) - tolerance,
                    *counts,
                    why,
                    float(allowed[i]),
                )
            )
    return claims


def metrics(law: Prediction, model: int) -> dict[str, np.ndarray]:
    """G of each cosine of a model."""
    p = law.covariance.shape[1] // law.mse.shape[1]
    found = {"cosine": np.eye(p)}
    if law.views is not None:
        found |= {"public_cosine": law.views[0], "private_cosine": law.views[1][model]}
    return found


def second_moments(law: Prediction) -> np.ndarray:
    """``E e_i e_k'`` at the last generation, (M, M, p, p)."""
    size = law.mse.shape[1]
    p = law.covariance.shape[1] // size
    found = np.einsum("iakb->ikab", law.covariance[-1].reshape(size, p, size, p))
    if law.mean is None:
        return found
    return found + law.mean[-1][:, None, :, None] * law.mean[-1][None, :, None, :]


def spread_of(second: np.ndarray) -> np.ndarray:
    """``E ||e_i - mean over models||^2`` from second moments (M, M, p, p), shape (M,)."""
    trace = np.einsum("ikaa->ik", second)
    return np.diagonal(trace) - 2 * trace.mean(1) + trace.mean()


def cosine_of(second: np.ndarray, metric: np.ndarray, model: int) -> float:
    """Mean cosine of a model's error with those of the others, from second moments."""
    inner = np.einsum("ikab,ab->ik", second, metric)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosines = inner[model] / np.sqrt(inner[model, model] * np.diagonal(inner))
    return float(np.delete(cosines, model).mean())


def chain_spreads(law: Prediction) -> np.ndarray:
    """Standard deviations over normal chains of what the claims are means of, in their order.

    These are quadratic forms ``e'He`` of the stacked errors, of variance ``2 tr(HCHC) + 4 m'HCHm``
    for e ~ N(m, C).
    """
    size = law.mse.shape[1]
    covariance = law.covariance[-1]
    mean = np.zeros(len(covariance)) if law.mean is None else law.mean[-1].ravel()
    second = second_moments(law)
    found = []
    for i in range(size if size > 1 else 0):
        unit = np.eye(size)[i]
        apart = np.outer(unit - 1 / size, unit - 1 / size)
        p = second.shape[-1]
        forms = [np.kron(apart, np.eye(p)) / spread_of(second)[i]]
        for metric in metrics(law, i).values():
            inner = np.einsum("ikab,ab->ik", second, metric)
            form = np.zeros((size, size))
            for k in set(range(size)) - {i}:
                scale = np.sqrt(inner[i, i] * inner[k, k])
                form[[i, k], [k, i]] += 0.5 / scale
                form[[i, k], [i, k]] -= inner[i, k] / scale / 2 / inner[[i, k], [i, k]]
            forms.append(np.kron(form / (size - 1), metric))
        for one in forms:
            moved = one @ covariance
            pushed = one @ mean
            variance = 2 * np.trace(moved @ moved) + 4 * pushed @ covariance @ pushed
            found.append(math.sqrt(max(variance, 0.0)))
    return np.array(found)


def _cosine(sample: np.ndarray, metric: np.ndarray, i: int) -> tuple[float, np.ndarray]:
    """The cosine over chains (C, M, p), and each chain's influence on it, (C,)."""
    products = np.einsum("ca,ab,ckb->ck", sample[:, i], metric, sample)
    squares = np.einsum("cka,ab,ckb->ck", sample, metric, sample)
    inner, size = products.mean(0), squares.mean(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.sqrt(size[i] * size)
        cosines = inner / scale
        influence = (products - inner) / scale - cosines / 2 * (
            squares[:, i : i + 1] / size[i] + squares / size - 2
        )
    return float(np.delete(cosines, i).mean()), np.delete(influence, i, 1).mean(1)


def _mean(values: np.ndarray) -> tuple[float, float]:
    if len(values) < 2:
        return math.nan, math.inf
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def _relative_error(law: Prediction) -> float:
    """Of the law's second moments, at the last generation."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float((law.standard_error[-1] / law.mse[-1]).max())
