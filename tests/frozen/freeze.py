"""Results that must not change when the code is rearranged.

``studies`` holds study files of every kind. This program runs them and keeps what comes out in
``frozen.json`` and ``frozen.npz``: what the laws say, what was simulated, two chains by themselves,
digests of the rows that one of them was fed, and the verdicts. ::

    python tests/frozen/freeze.py compare [NAME ...]  # run again, and tell what differs
    python tests/frozen/freeze.py write [NAME ...]    # run, and keep what comes out

``differences.py`` says how much may differ. Where a change is meant to change results, ``write``
again, and let the commit say so.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import runpy
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
from differences import Report, compare_studies

import mcjax

HERE = Path(__file__).parent
STUDIES = {path.stem: path for path in sorted((HERE / "studies").glob("*.toml"))}
CHAINS = (0, 101)
"""The chains that are run again by themselves; the rows are those of the first."""

# --- What is read from mcjax's objects, beside the functions called in `record`. If names change
# --- there, change them here, and nowhere else.


def law_of(prediction: Any) -> dict[str, Any]:
    """The numbers of one law of errors, and what it says of itself."""
    views = prediction.views
    numbers = {
        "mse": prediction.mse,
        "standard_error": prediction.standard_error,
        "covariance": prediction.covariance,
        "mean": prediction.mean,
        "growth": prediction.growth,
        "limit": prediction.limit,
        "allowance": prediction.allowance,
        "pooled": prediction.pooled,
        "common_view": None if views is None else views[0],
        "private_views": None if views is None else views[1],
    }
    return {
        "source": prediction.reference,
        "flags": {"exact": bool(prediction.exact), "asymptotic": bool(prediction.asymptotic)},
        "numbers": {k: np.asarray(v, float) for k, v in numbers.items() if v is not None},
    }


def laws_of(predictions: Any) -> dict[str, Any]:
    """All laws on a condition."""
    return {
        "laws": {name: law_of(law) for name, law in predictions.laws.items()},
        "functionals": {
            name: {key: np.asarray(value, float) for key, value in law.values.items()}
            for name, law in predictions.functionals.items()
        },
        "inapplicable": dict(predictions.inapplicable),
    }


def simulated_of(tally: Any) -> dict[str, Any]:
    """What all chains of a condition did; variances are over chains."""
    outcome = tally.outcome
    moments = outcome.moments
    error, product, squared = moments.error, moments.product, moments.squared
    functional = moments.functional
    return {
        "chains": outcome.chains,
        "fits": np.asarray(outcome.fits),
        "count": np.asarray(error.chains),
        "mean": np.asarray(error.mean),
        "variance": error.square / np.maximum(error.chains - 1, 1),
        "product": np.asarray(product.mean),
        "mse": np.asarray(squared.mean),
        "functional_count": np.asarray(functional.chains),
        "functional_mean": np.asarray(functional.mean),
        "functional_variance": functional.square / np.maximum(functional.chains - 1, 1),
    }


def chain_of(trajectory: Any) -> dict[str, np.ndarray]:
    """Estimates and statuses of one chain."""
    return {"theta": np.asarray(trajectory.theta), "status": np.asarray(trajectory.status)}


def trajectory_with(trajectory: Any, chain: dict[str, np.ndarray]) -> Any:
    """The chain as an object, with other estimates and statuses."""
    kept = {"theta": trajectory.theta, "status": trajectory.status}
    return trajectory._replace(**{k: chain[k].astype(v.dtype) for k, v in kept.items()})


def bits_of(dataset: Any) -> dict[str, bytes]:
    """The rows that a model was fed by one origin in one generation."""
    parts = {"x": dataset.x, "y": dataset.y, "weight": dataset.weight}
    return {name: np.ascontiguousarray(part).tobytes() for name, part in parts.items()}


def cell_of(cell: Any) -> dict[str, Any]:
    """One comparison, judged."""
    return {
        "place": [cell.condition, cell.model, cell.generation, cell.quantity, cell.law],
        "verdict": cell.verdict,
        "predicted": cell.predicted,
        "empirical": cell.empirical,
        "standard_error": cell.standard_error,
        "ratio": cell.ratio,
        "interval": list(cell.interval),
        "counts": [cell.chains, cell.lost],
        "note": cell.note,
    }


def verdict_of(found: Any) -> dict[str, Any]:
    """The judged study."""
    return {
        "verdict": found.verdict,
        "failures": dict(found.failures),
        "waiting": list(found.waiting),
        "cells": [cell_of(cell) for cell in found.cells],
    }


# --- Nothing below knows of mcjax's objects.


def record(name: str, frozen: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run a study; everything that is kept of it.

    Parameters
    ----------
    frozen: what was kept of it. Labels depend on the estimates that generate them, so rows are
        then drawn from the frozen estimates: they must be the same to the bit, while estimates
        need not be.
    """
    study = mcjax.load_study(STUDIES[name])
    own = STUDIES[name].with_name(f"{name}.py")
    laws = {"own": mcjax.user_law(runpy.run_path(str(own))["law"], "own")} if own.exists() else {}
    predictions = mcjax.predict(study, laws)
    tallies = mcjax.simulate(study)
    judged = mcjax.judge(study, predictions, [tally.outcome for tally in tallies])
    conditions = {}
    for condition, found, tally in zip(study.conditions, predictions, tallies, strict=True):
        runs = {str(c): mcjax.replay(study, condition.name, c) for c in CHAINS}
        first = str(CHAINS[0])
        before = (frozen or {}).get("conditions", {}).get(condition.name)
        drawn_from = runs[first]
        if before is not None:
            drawn_from = trajectory_with(drawn_from, before["replayed"][first])
        conditions[condition.name] = {
            **laws_of(found),
            "simulated": simulated_of(tally),
            "replayed": {chain: chain_of(run) for chain, run in runs.items()},
            "rows": digests(study, condition.name, drawn_from),
        }
    return {"precision": study.precision, **verdict_of(judged), "conditions": conditions}


def digests(study: Any, condition: str, trajectory: Any) -> dict[str, str] | None:
    """SHA-256 of the bits of all rows, its first 64 bits; None where there are no rows."""
    try:
        data = list(mcjax.replay_data(study, condition, CHAINS[0], trajectory))
    except mcjax.InputError:
        return None
    return {
        f"generation {t}, model {i}, from {origin}, {part}": hashlib.sha256(bits).hexdigest()[:16]
        for t, models in enumerate(data)
        for i, origins in enumerate(models)
        for origin, rows in origins.items()
        for part, bits in bits_of(rows).items()
    }


def machine() -> dict[str, str]:
    """What results may depend on in their last bits."""
    cpu, info = platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        can = info.read_text(encoding="utf-8").split()
        cpu += "".join(f" {name}" for name in ("fma", "avx2", "avx512f") if name in can)
    return {"cpu": cpu, **{name: version(name) for name in ("jax", "jaxlib", "numpy", "scipy")}}


def save(records: dict[str, Any]) -> None:
    """Keep arrays, one after the other, in ``frozen.npz``, and all else in ``frozen.json``."""
    numbers: list[np.ndarray] = []
    end = 0

    def outside(thing: Any) -> Any:
        nonlocal end
        if isinstance(thing, dict):
            return {key: outside(value) for key, value in thing.items()}
        if isinstance(thing, np.ndarray):
            numbers.append(thing.astype(float).ravel())
            begin, end = end, end + thing.size
            return {"begin": begin, "shape": thing.shape}
        return thing

    content = {"machine": machine(), "studies": outside(records)}
    lines = json.dumps(content, indent=None, separators=(",", ":"))
    for start in ('"studies":{', '{"place"', '"conditions":{', '"simulated"', '"rows"'):
        lines = lines.replace(start, "\n" + start)
    (HERE / "frozen.json").write_text(lines + "\n", encoding="utf-8")
    np.savez_compressed(HERE / "frozen.npz", numbers=np.concatenate(numbers))


def load() -> tuple[dict[str, str], dict[str, Any]]:
    """The machine and the records of :func:`save`."""
    content = json.loads((HERE / "frozen.json").read_text(encoding="utf-8"))
    with np.load(HERE / "frozen.npz") as file:
        numbers = file["numbers"]

    def inside(thing: Any) -> Any:
        if isinstance(thing, dict) and set(thing) == {"begin", "shape"}:
            size = int(np.prod(thing["shape"]))
            return numbers[thing["begin"] : thing["begin"] + size].reshape(thing["shape"])
        if isinstance(thing, dict):
            return {key: inside(value) for key, value in thing.items()}
        return thing

    return content["machine"], inside(content["studies"])


def compare(names: Sequence[str] = ()) -> Iterator[Report]:
    """Run studies again, all of them unless named; what differs of each condition."""
    _, frozen = load()
    for name in names or sorted({*STUDIES, *frozen}):
        if name not in STUDIES or name not in frozen:
            yield Report(name, [f"has no {'record' if name in STUDIES else 'file'}"])
            continue
        yield from compare_studies(name, frozen[name], record(name, frozen[name]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or compare; the exit status is 1 if something differs."""
    parser = argparse.ArgumentParser(description="Results that must not change.")
    parser.add_argument("what", choices=("write", "compare"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="a study in tests/frozen/studies")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - {*STUDIES}:
        parser.error(f"no study is named {', '.join(sorted(unknown))}")
    if options.what == "write":
        kept = load()[1] if options.names else {}
        wanted = options.names or STUDIES
        save({name: record(name) if name in wanted else kept[name] for name in STUDIES})
        return 0
    frozen_on, now_on = load()[0], machine()
    if frozen_on != now_on:
        print(f"frozen on {frozen_on}, this is {now_on}: last bits may differ")
    total = Report("")
    for report in compare(options.names):
        print(f"{time.process_time():6.1f} s  {report}", flush=True)
        total.add(report)
    print(total.summary())
    return 1 if total.violations else 0


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    sys.exit(main())
