"""mcjax beside its peers: the same chains and the same fits, in one process, in alternation.

    python benchmarks/speed.py [--quick] [--only NAME ...] [--out benchmarks/results/speed.json]

Each section runs in a process of its own, pinned to one core or to two; in it contestants take
turns, and what counts is the median of their turns. Peers that are not installed are left out:
``pip install 'mcjax[bench]'`` brings them, and a C compiler the reference in C. Whether their
solutions agree stands beside the times. A table is written beside the JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
ROWS, GENERATIONS = 200, 11


class Contestant(NamedTuple):
    """run: returns estimates of the last generation, (chains, 4, p), or nothing to compare."""

    run: Callable[[], Any]
    fits: int
    compile_seconds: float = 0.0


def clock() -> float:
    """Seconds: of this process and its children on one core, where other processes then disturb
    little; by the wall on several."""
    if len(os.sched_getaffinity(0)) > 1:
        return time.perf_counter()
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def race(contestants: dict[str, Contestant], turns: int) -> list[dict[str, Any]]:
    """Microseconds a fit of each, in alternation, and how its estimates compare with mcjax's."""
    import numpy as np

    found = {name: c.run() for name, c in contestants.items()}  # warm, and what is compared
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(turns):
        for name, c in contestants.items():
            began = clock()
            c.run()
            seconds[name].append(clock() - began)
    results = []
    ours = next((v for k, v in found.items() if k.startswith("mcjax")), None)
    for name, c in contestants.items():
        each = [1e6 * s / c.fits for s in seconds[name]]
        row = {
            "name": name,
            "microseconds": statistics.median(each),
            "fastest": min(each),
            "slowest": max(each),
            "compile_seconds": c.compile_seconds,
        }
        if found[name] is not None and ours is not None:
            a, b = (np.asarray(v, float)[:, 0, 0] for v in (found[name], ours))
            row["mean_z"] = float((a.mean() - b.mean()) / np.hypot(_se(a), _se(b)))
            row["variance_ratio"] = float(a.var() / b.var())
            row["variance_ratio_se"] = float(np.sqrt(2 / len(a) + 2 / len(b)))
        results.append(row)
    first = results[0]["microseconds"]
    return [row | {"times_mcjax": row["microseconds"] / first} for row in results]


def _se(values: Any) -> float:
    return float(values.std() / len(values) ** 0.5)


def study(family: str, rows: int, p: int, chains: int, **options: Any) -> Any:
    """The peers' ring as a study: generation 0 and ten more."""
    from peers import MODELS, truth

    import mcjax

    net = mcjax.topologies.ring(
        options.pop("models", MODELS), samples=rows // 2, real=rows // 2, initial=rows
    )
    make = {name: getattr(mcjax, name) for name in ("linear", "logistic", "poisson", "huber")}
    condition = mcjax.condition(net, make[family](), truth(p))
    return mcjax.Study(
        (condition,), **{"generations": GENERATIONS - 1, "chains": chains, **options}
    )


def ours(asked: Any) -> Contestant:
    """mcjax's chains, estimates only, as the engine runs them."""
    import numpy as np

    from mcjax import api
    from mcjax.engine import engine

    [condition] = asked.conditions
    program = api._program(asked, [0])
    task = api._task(condition, api.shape_in(asked, [0]), np.arange(asked.chains))

    def run() -> Any:
        parts = engine.trajectories([task], program, asked.chunk)
        return np.concatenate([own.theta[:, -1] for [(_, own)] in parts])

    began = time.perf_counter()
    run()
    first = time.perf_counter() - began
    began = time.perf_counter()
    run()
    fits = asked.chains * condition.network.size * (asked.generations + 1)
    return Contestant(run, fits, first - (time.perf_counter() - began))


def theirs(run: Callable[..., Any], chains: int, fits: int) -> Contestant:
    """A JAX peer, compiled."""
    import jax

    keys = jax.random.split(jax.random.key(1), chains)
    began = time.perf_counter()
    compiled = jax.jit(run).lower(keys).compile()
    seconds = time.perf_counter() - began
    return Contestant(lambda: jax.block_until_ready(compiled(keys)), fits, seconds)


def by_hand(p: int, blocks: int) -> Contestant | None:
    """The reference in C, if there is a compiler and the processor has AVX-512."""
    compiler = shutil.which("cc")
    if compiler is None or "avx512dq" not in Path("/proc/cpuinfo").read_text(encoding="utf-8"):
        return None
    binary = Path(tempfile.mkdtemp()) / "reference"
    flags = ["-O3", "-march=native", "-ffast-math", f"-DP={p}"]
    subprocess.run([compiler, *flags, HERE / "reference.c", "-o", binary, "-lm"], check=True)

    def run() -> None:
        subprocess.run(
            [binary, str(blocks), str(ROWS), str(GENERATIONS)], check=True, capture_output=True
        )

    return Contestant(run, blocks * 16 * GENERATIONS)


def chains_section(
    family: str, p: int, precision: str, devices: int, quick: bool, rows: int = ROWS
) -> list[dict[str, Any]]:
    """Whole chains of all contestants."""
    import jax
    import numpy as np
    import peers

    dtype = np.dtype("float32" if precision == "float32" else "float64")
    chains = 1024
    few = 64 if quick else 256
    each = peers.MODELS * GENERATIONS
    chains *= 4 if family == "linear" else 1
    own = study(family, rows, p, chains, precision=precision)
    racing = {f"mcjax {precision}": ours(own)}

    def jax_peer(fit: Any) -> Any:
        return peers.jax_chains(family, fit, rows, p, GENERATIONS, dtype)

    naive = {"vmap Newton": peers.newton(family)}
    if family != "linear":
        naive["vmap optax.lbfgs"] = peers.lbfgs(family)
        if find_spec("optimistix") and not quick and p <= 5:
            naive["vmap optimistix BFGS"] = peers.bfgs(family)
    for name, fit in naive.items():
        racing[name] = theirs(jax_peer(fit), few, few * each)
        if devices > 1:
            spread = peers.over_devices(jax_peer(fit))
            racing[f"{name}, spread over devices"] = theirs(spread, few, few * each)
    if devices == 1:
        if family != "linear":
            for last in (False, True):
                for together in (16, 64):
                    name = f"NumPy {'batch last' if last else 'matmul'} {together}"
                    given = (family, rows, p, GENERATIONS, dtype, 64, together, last)
                    racing[name] = Contestant(
                        lambda given=given: peers.numpy_chains(*given), 64 * each
                    )
        for package in ("statsmodels", "sklearn"):
            if find_spec(package) and (package, family) != ("sklearn", "huber"):
                given = (package, family, rows, p, GENERATIONS, 2)
                # so few chains that their spread says nothing
                racing[package] = Contestant(
                    lambda given=given: peers.loop_chains(*given) is None or None, 2 * each
                )
        hand = (
            by_hand(p, 64 if quick else 256)
            if (family, precision) == ("logistic", "float32")
            else None
        )
        if hand is not None and rows == ROWS:
            racing["C, AVX-512"] = hand
    jax.block_until_ready(jax.numpy.zeros(()))
    return race(racing, 3 if quick else 7)


def fits_section(family: str, quick: bool) -> list[dict[str, Any]]:
    """Fits alone, of the same arrays: times, and how far solutions lie apart."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    import peers

    import mcjax
    from mcjax.engine.compiler import compiler_options
    from mcjax.fits.rows import Rows, fit_rows

    p, batch = 5, 64
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, ROWS, p))
    eta = x @ peers.truth(p)
    y = {
        "logistic": lambda: (rng.random(eta.shape) * (1 + np.exp(-eta)) < 1).astype(float),
        "poisson": lambda: rng.poisson(np.exp(eta)).astype(float),
        "huber": lambda: eta + rng.standard_normal(eta.shape),
    }[family]()
    record = getattr(mcjax, family)()
    half = [np.ascontiguousarray(np.moveaxis(x[:, k::2], -1, 0)) for k in range(2)]
    answers: dict[str, Any] = {}
    racing: dict[str, Contestant] = {}

    def enter(name: str, run: Callable[[], Any], count: int = batch) -> None:
        answers[name] = np.asarray(run())
        racing[name] = Contestant(lambda: run() is None or None, count)

    def own(even: Any, odd: Any, ye: Any, yo: Any) -> Any:
        params = jax.tree.map(lambda v: jnp.full((batch, 1), v, x.dtype), record)
        rows = Rows(
            (even, odd), (ye, yo), lambda: jnp.full(ye.shape, 1 / ROWS), jnp.full(batch, ROWS)
        )
        start = jnp.zeros((p, batch))
        return fit_rows(params, rows, start, jnp.ones(batch, bool)).theta.T

    given = jax.device_put((*half, y[:, ::2].copy(), y[:, 1::2].copy()))
    arrays = jax.device_put((np.zeros((batch, p)), x, y))
    compiled = jax.jit(own, compiler_options=compiler_options("fast", "cpu"))
    enter("mcjax float64", lambda: jax.block_until_ready(compiled(*given)))
    for name, fit in (("vmap Newton", peers.newton), ("vmap optax.lbfgs", peers.lbfgs)):
        batched = jax.jit(jax.vmap(fit(family)))
        enter(name, lambda f=batched: jax.block_until_ready(f(*arrays)))
    if find_spec("optimistix"):
        batched = jax.jit(jax.vmap(peers.bfgs(family)))
        enter(
            "vmap optimistix BFGS",
            lambda f=batched: jax.block_until_ready(f(*arrays)),
        )
    enter("NumPy matmul", lambda: peers.numpy_newton(family, np.zeros((batch, p)), x, y))
    for package in ("statsmodels", "sklearn"):
        if find_spec(package) and (package, family) != ("sklearn", "huber"):
            one = peers.loop_fit(package, family)
            enter(package, lambda one=one: np.stack([one(x[k], y[k]) for k in range(8)]), 8)
    results = race(racing, 3 if quick else 9)
    best = answers["NumPy matmul"]
    for row in results:
        found = answers[row["name"]]
        row["largest_difference"] = float(np.abs(found - best[: len(found)]).max())
    return results


def curves_section(quick: bool) -> list[dict[str, Any]]:
    """mcjax alone: one size at a time changed from the usual ones."""
    base = {"family": "logistic", "rows": ROWS, "p": 5, "chains": 256}
    turns = 3 if quick else 5
    sweeps = {
        "chains": [64, 1024] if quick else [64, 256, 1024, 4096, 16384],
        "rows": [50, 800] if quick else [50, 100, 200, 400, 800, 1600],
        "p": [1, 10] if quick else [1, 2, 3, 5, 8, 10, 15, 20],
        "models": [1, 8] if quick else [1, 2, 4, 8, 16],
        "generations": [1, 20] if quick else [1, 10, 50, 200],
        "family": ["linear", "poisson", "huber"],
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


def parts_section(quick: bool) -> dict[str, Any]:
    """Random numbers alone, memory against chains, block sizes, a network that collapses."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    import mcjax
    from mcjax import api
    from mcjax.draws.samplers import normal_pair
    from mcjax.draws.threefry import threefry
    from mcjax.engine import engine
    from mcjax.engine.compiler import compiler_options
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

        compiled = jax.jit(run, compiler_options=compiler_options("fast", "cpu")).lower().compile()
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
    program, task = (
        api._program(usual, [0]),
        api._task(usual.conditions[0], api.shape_in(usual, [0]), np.arange(64)),
    )
    devices = tuple(jax.local_devices())
    block = engine.block_size(task, program, 64)
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

    kept, sizes = engine.FAST_BYTES, {}
    for power in (16, 17, 18, 19, 20, 21):
        engine.FAST_BYTES = 2**power
        name = f"mcjax, blocks of {engine.block_size(task, program, 64)}"
        sizes[name] = _with_blocks(2**power, study("logistic", ROWS, 5, 512, precision="float32"))
    found["blocks"] = race(sizes, 3 if quick else 7)
    engine.FAST_BYTES = kept

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


def _with_blocks(size: int, asked: Any) -> Contestant:
    """mcjax with blocks of so many bytes."""
    from mcjax.engine import engine

    own = ours(asked)

    def run() -> Any:
        engine.FAST_BYTES = size
        return own.run()

    return own._replace(run=run)


def study_section(quick: bool) -> dict[str, Any]:
    """A whole study in one call: 10,000 chains of 4 models over 100 generations, judged."""
    import mcjax

    chains, generations = (1000, 20) if quick else (10_000, 100)
    asked = study("logistic", ROWS, 5, chains, generations=generations, tolerance=0.1)
    began = time.perf_counter()
    verdict = mcjax.verify(asked)
    seconds = time.perf_counter() - began
    fits = chains * 4 * (generations + 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "chains": chains,
        "generations": generations,
        "fits": fits,
        "seconds": seconds,
        "verdict": verdict.verdict,
        "peak_bytes": peak,
    }


def sections(quick: bool) -> dict[str, tuple[int, str, dict[str, Any]]]:
    """Cores, function and arguments of every section."""
    found: dict[str, tuple[int, str, dict[str, Any]]] = {}
    usual: dict[str, Any] = {"p": 5, "precision": "float32"}
    for cores in (1, 2):
        for family in ("logistic", "poisson", "huber"):
            given = {"family": family, "devices": cores, **usual}
            found[f"{family}, {cores} core{'s'[: cores - 1]}"] = (cores, "chains", given)
    found["logistic mixed, 1 core"] = (
        1,
        "chains",
        {"family": "logistic", "p": 5, "precision": "mixed", "devices": 1},
    )
    found["logistic p=20, 1 core"] = (
        1,
        "chains",
        {"family": "logistic", "p": 20, "precision": "float32", "devices": 1},
    )
    for rows in (200, 1000):
        given = {"family": "linear", "devices": 1, "rows": rows, **usual}
        found[f"linear N={rows}, 1 core"] = (1, "chains", given)
    for family in ("logistic", "poisson", "huber"):
        found[f"fits alone, {family}"] = (1, "fits", {"family": family})
    found["parts"] = (1, "parts", {})
    found["curves"] = (1, "curves", {})
    found["study"] = (2, "study", {})
    return found


def run_here(cores: int, kind: str, given: dict[str, Any]) -> Any:
    """One section, in this process."""
    os.sched_setaffinity(0, set(list(os.sched_getaffinity(0))[:cores]))
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(cores)
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_num_cpu_devices", cores)
    sys.path.insert(0, str(HERE))
    kinds = {
        "chains": chains_section,
        "fits": fits_section,
        "curves": curves_section,
        "parts": parts_section,
        "study": study_section,
    }
    return kinds[kind](**given)


def main() -> None:
    """Run the sections, print and keep what they found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few chains, few turns")
    parser.add_argument("--only", nargs="*", help="sections, by the beginning of their names")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--here", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        print(json.dumps(run_here(*json.loads(args.here))))
        return
    results: dict[str, Any] = {}
    for name, (cores, kind, given) in sections(args.quick).items():
        if args.only and not any(name.startswith(begin) for begin in args.only):
            continue
        asked = json.dumps([cores, kind, {**given, "quick": args.quick}])
        command = [sys.executable, __file__, "--here", asked]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        results[name] = json.loads(done.stdout.splitlines()[-1])
        print(show(name, results[name]), flush=True)
    if args.out is not None:
        sys.path.insert(0, str(HERE))
        from machine import keep

        keep(args.out, results)
        tables = "\n".join(show(name, found) for name, found in results.items())
        args.out.with_suffix(".md").write_text(tables, encoding="utf-8")


def show(name: str, found: Any) -> str:
    """A section as Markdown."""
    lines = [f"### {name}", ""]
    if isinstance(found, list) and "swept" not in found[0]:
        lines += ["| | µs a fit | range | times mcjax | compile s |", "|---|---|---|---|---|"]
        lines += [
            f"| {r['name']} | {r['microseconds']:.3g} | {r['fastest']:.3g} to {r['slowest']:.3g} |"
            f" {r['times_mcjax']:.3g} | {r['compile_seconds']:.1f} |"
            for r in found
        ]
    elif isinstance(found, list):
        lines += ["| | | float32 | mixed |", "|---|---|---|---|"]
        for single, mixed in zip(found[::2], found[1::2], strict=True):
            lines.append(
                f"| {single['swept']} | {single['value']} | {single['microseconds']:.3g} |"
                f" {mixed['microseconds']:.3g} |"
            )
    else:
        lines += ["```json", json.dumps(found, indent=1), "```"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
