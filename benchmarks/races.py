"""The races: whole chains, fits alone, mcjax alone over sizes, its parts, and a whole study."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from contestants import GENERATIONS, ROWS, Contestant, by_hand, ours, race, study, theirs


def chains_section(
    model: str, p: int, precision: str, devices: int, quick: bool, rows: int = ROWS
) -> list[dict[str, Any]]:
    """Whole chains of all contestants."""
    import jax
    import numpy as np
    import peers

    dtype = np.dtype("float32" if precision == "float32" else "float64")
    chains = 1024
    each = peers.MODELS * GENERATIONS
    chains *= 4 if model == "linear" else 1
    own = study(model, rows, p, chains, precision=precision)
    racing = {f"mcjax {precision}": ours(own)}

    def jax_peer(fit: Any) -> Any:
        return peers.jax_chains(model, fit, rows, p, GENERATIONS, dtype)

    naive = {"vmap Newton": peers.newton(model)}
    if model != "linear":
        naive["vmap optax.lbfgs"] = peers.lbfgs(model)
    for name, fit in naive.items():
        # their best size, and all chains at once, as they are called by who has thousands
        for count in [64] if quick else [64, 1024]:
            run, title = jax_peer(fit), f"{name}, {count:,} chains"
            racing[title] = theirs(run, count, count * each)
            if devices > 1:
                spread = peers.over_devices(run)
                racing[f"{title}, spread"] = theirs(spread, count, count * each)
    if devices == 1:
        if model != "linear":
            for last in (False, True):
                for together in (16, 64):
                    name = f"NumPy {'batch last' if last else 'matmul'} {together}"
                    given = (model, rows, p, GENERATIONS, dtype, 64, together, last)
                    racing[name] = Contestant(
                        lambda given=given: peers.numpy_chains(*given), 64 * each
                    )
        for package in ("statsmodels", "sklearn"):
            if find_spec(package) and (package, model) != ("sklearn", "huber"):
                loops = 2 if quick else 6
                given = (package, model, rows, p, GENERATIONS, loops)
                # so few chains that their spread says nothing
                racing[package] = Contestant(
                    lambda given=given: peers.loop_chains(*given) is None or None, loops * each
                )
        hand = (
            by_hand(p, 64 if quick else 256)
            if (model, precision) == ("logistic", "float32")
            else None
        )
        if hand is not None and rows == ROWS:
            racing["C, AVX-512"] = hand
    jax.block_until_ready(jax.numpy.zeros(()))
    return race(racing, 3 if quick else 7)


def fits_section(model: str, quick: bool) -> list[dict[str, Any]]:
    """Fits alone, of the same arrays: times, and how far solutions lie apart."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    import peers

    import mcjax
    from mcjax.chains import program as paths
    from mcjax.engine.platforms import compiler_options
    from mcjax.estimators.newton_rows import fit_rows
    from mcjax.estimators.rows import Rows
    from mcjax.solvers.once import barrier, stages
    from mcjax.solvers.status import Status

    p, batch = 5, 64
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, ROWS, p))
    eta = x @ peers.truth(p)
    y = {
        "logistic": lambda: (rng.random(eta.shape) * (1 + np.exp(-eta)) < 1).astype(float),
        "poisson": lambda: rng.poisson(np.exp(eta)).astype(float),
        "huber": lambda: eta + rng.standard_normal(eta.shape),
    }[model]()
    record = getattr(mcjax, model)()
    answers: dict[str, Any] = {}
    racing: dict[str, Contestant] = {}

    def enter(name: str, run: Callable[[], Any], count: int = batch) -> None:
        answers[name] = np.asarray(run())
        racing[name] = Contestant(lambda: run() is None or None, count)

    def own(own_x: Any, own_y: Any) -> Any:
        params = jax.tree.map(lambda v: jnp.full((batch, 1), v, x.dtype), record)
        share, size = jnp.full(own_y.shape[1:], 1 / ROWS), jnp.full(batch, ROWS, x.dtype)
        status = jnp.full(batch, int(Status.RUNNING), jnp.int32)
        start = jnp.zeros((p, batch))
        rows = Rows((own_x,), own_y, lambda: share, size)
        with stages(barrier):
            return fit_rows(params, rows, start, status).theta.T

    halves = (x.reshape(batch, -1, 2, p).transpose(2, 3, 0, 1), y.reshape(batch, -1, 2).T)
    given = jax.device_put((halves[0].copy(), halves[1].transpose(0, 2, 1).copy()))
    arrays = jax.device_put((np.zeros((batch, p)), x, y))
    compiled = jax.jit(own, compiler_options=compiler_options(paths.Path.FAST, "cpu"))
    enter("mcjax float64", lambda: jax.block_until_ready(compiled(*given)))
    for name, fit in (("vmap Newton", peers.newton), ("vmap optax.lbfgs", peers.lbfgs)):
        batched = jax.jit(jax.vmap(fit(model)))
        enter(name, lambda f=batched: jax.block_until_ready(f(*arrays)))
    if find_spec("optimistix"):
        batched = jax.jit(jax.vmap(peers.bfgs(model)))
        enter(
            "vmap optimistix BFGS",
            lambda f=batched: jax.block_until_ready(f(*arrays)),
        )
    enter("NumPy matmul", lambda: peers.numpy_newton(model, np.zeros((batch, p)), x, y))
    for package in ("statsmodels", "sklearn"):
        if find_spec(package) and (package, model) != ("sklearn", "huber"):
            one = peers.loop_fit(package, model)
            enter(package, lambda one=one: np.stack([one(x[k], y[k]) for k in range(8)]), 8)
    results = race(racing, 3 if quick else 9)
    best = answers["NumPy matmul"]
    for row in results:
        found = answers[row["name"]]
        row["largest_difference"] = float(np.abs(found - best[: len(found)]).max())
    return results


def curves_section(quick: bool) -> list[dict[str, Any]]:
    """mcjax alone: one size at a time changed from the usual ones."""
    base = {"model": "logistic", "rows": ROWS, "p": 5, "chains": 256}
    turns = 3 if quick else 5
    sweeps = {
        "chains": [64, 1024] if quick else [64, 256, 1024, 4096, 16384],
        "rows": [50, 800] if quick else [50, 100, 200, 400, 800, 1600],
        "p": [1, 10] if quick else [1, 2, 3, 5, 8, 10, 15, 20],
        "models": [1, 8] if quick else [1, 2, 4, 8, 16],
        "generations": [1, 20] if quick else [1, 10, 50, 200],
        "model": ["linear", "poisson", "huber"],
    }
    found = []
    for name, values in sweeps.items():
        for value in values:
            for precision in ("float32", "mixed"):
                given = {**base, name: value, "precision": precision, "sampling": "rows"}
                if name == "generations":
                    given["chains"] = max(32, 2048 // int(value))
                own = ours(study(**given))
                [row] = race({"mcjax": own}, turns)
                found.append({**row, "swept": name, "value": value, "precision": precision})
    return found


def compile_section(quick: bool) -> dict[str, float]:
    """Seconds the first call takes more than the second: tracing and compilation."""
    import jax

    jax.block_until_ready(
        jax.jit(lambda x: x + 1)(1.0)
    )  # what the process does once is not counted
    found = {}
    for precision in ("float32", "mixed"):
        for p in (1, 20) if quick else (1, 2, 5, 10, 20):
            for model in ("logistic", "poisson", "huber") if p == 5 else ("logistic",):
                asked = study(model, ROWS, p, 64, precision=precision)
                found[f"{model}, p={p}, {precision}"] = ours(asked).compile_seconds
    return found


def parts_section(quick: bool) -> dict[str, Any]:
    """Random numbers alone, memory against chains, block sizes, a network that collapses."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    import mcjax
    from mcjax.chains import program as paths
    from mcjax.draws.samplers import normal_pair
    from mcjax.draws.threefry import threefry
    from mcjax.engine import engine
    from mcjax.engine.blocks import block_size
    from mcjax.engine.platforms import compiler_options
    from mcjax.solvers.once import once

    found: dict[str, Any] = {}
    shape, times = (128, 112 * 5), 200
    float32 = jnp.dtype("float32")

    def loop(make: Callable[[Any], Any]) -> Contestant:
        def run() -> Any:
            def step(total: Any, t: Any) -> Any:
                drawn = once(t, lambda: make(t))
                return total + drawn.real[0, 0] + drawn.imag[0, 0], None

            return jax.lax.scan(step, jnp.float32(0), jnp.arange(times, dtype=jnp.int32))[0]

        options = compiler_options(paths.Path.FAST, "cpu")
        compiled = jax.jit(run, compiler_options=options).lower().compile()
        return Contestant(
            lambda: jax.block_until_ready(compiled()) is None or None,
            2 * times * shape[0] * shape[1],
        )

    def words(t: Any) -> Any:
        place = jax.lax.broadcasted_iota(jnp.uint32, shape, 1)
        return threefry((t.astype(jnp.uint32), jnp.uint32(7)), (place, jnp.uint32(3)))

    def as_floats(t: Any) -> Any:
        return jax.lax.complex(*(jax.lax.bitcast_convert_type(w, float32) for w in words(t)))

    generators = {
        "words": loop(as_floats),
        "words and normals": loop(lambda t: jax.lax.complex(*normal_pair(words(t), float32))),
    }
    found["random"] = [
        {k: v for k, v in row.items() if k in ("name", "microseconds")}
        for row in race(generators, 5)
    ]

    usual = study("logistic", ROWS, 5, 64)
    study_programs = mcjax.compile_study(usual)
    program, task = study_programs.programs[0].program, study_programs.task(0, np.arange(64))
    devices = tuple(jax.local_devices())
    block = block_size(task, program, 64)
    found["block"] = block
    found["memory"] = []
    for chains in (1024, 32768, 1 << 20):
        lead = (chains // block, block)
        arrays = jax.tree.map(
            lambda a, lead=lead: jax.ShapeDtypeStruct((*lead, *np.shape(a)), np.asarray(a).dtype),
            task.arrays,
        )
        keys = jax.ShapeDtypeStruct((*lead, 2), np.uint32)
        compiled = (
            engine._compiled(program.path, "cpu").lower(arrays, keys, program, devices).compile()
        )
        size = compiled.memory_analysis()
        found["memory"].append({"chains": chains, "temporary_bytes": size.temp_size_in_bytes})

    sizes = {}
    for lanes in (2, 4, 8, 16, 32, 64):
        asked = study("logistic", ROWS, 5, 512, precision="float32")
        sizes[f"mcjax, blocks of {lanes}"] = _with_blocks(lanes, asked)
    found["blocks"] = race(sizes, 3 if quick else 9)
    found["peak_memory"] = [_memory_of(chains) for chains in (4096, 4096 if quick else 1 << 20)]

    calm = study("logistic", 60, 5, 256, generations=30)
    loop_net = mcjax.topologies.ring(4, samples=60, initial=60)
    doomed = mcjax.Study(
        (mcjax.condition(loop_net, mcjax.logistic(), calm.conditions[0].theta),),
        generations=30,
        chains=256,
    )
    found["collapse"] = race({"mcjax, stable": ours(calm), "collapsing": ours(doomed)}, 5)
    tally = mcjax.simulate(doomed)[0]
    found["collapse_lost"] = 1 - float(
        tally.outcome.fits[-1, :, 0].sum() / tally.outcome.fits[-1].sum()
    )
    return found


def _with_blocks(lanes: int, asked: Any) -> Contestant:
    """mcjax with blocks of so many lanes."""
    from mcjax.engine import engine

    def patched(call: Callable[[], Any]) -> Any:
        kept, engine.block_size = engine.block_size, lambda *_: lanes
        try:
            return call()
        finally:
            engine.block_size = kept

    own = patched(lambda: ours(asked))
    return own._replace(run=lambda: patched(own.run))


def _memory_of(chains: int) -> dict[str, Any]:
    """The most memory this process has had, after a study of so many chains."""
    import mcjax

    began = time.perf_counter()
    mcjax.simulate(study("logistic", 40, 5, chains, generations=1))
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"chains": chains, "fits": chains * 8, "seconds": seconds, "peak_bytes": peak}


YARDSTICK = """[network]
topology = "ring"
models = 4
samples = 100
real_samples = 100
initial = 200

[family]
name = "logistic"
theta = [0.7, 0, 0, 0, 0]

[run]
generations = {generations}
chains = {chains}

tolerance = 0.1
"""


def study_section(quick: bool) -> dict[str, Any]:
    """A whole study, from the command line: 10,000 chains of 4 models over 100 generations, and a
    verdict on each mean squared error."""
    chains, generations = (1000, 20) if quick else (10_000, 100)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "yardstick.toml"
        text = YARDSTICK.format(chains=chains, generations=generations)
        path.write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "mcjax", "verify", str(path), "--json"]
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    said = json.loads(done.stdout)
    return {
        "chains": chains,
        "generations": generations,
        "fits": chains * 4 * (generations + 1),
        "seconds": seconds,
        "verdict": said["verdict"],
        "peak_bytes": peak,
    }
