"""Write the numbers of the page on speed from the results kept.

    python benchmarks/speed_page.py

Parts of ``docs/speed.md`` between ``<!-- results: NAME -->`` and ``<!-- end -->`` are what this
makes of the files in ``benchmarks/results``; a test compares them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from report import summary

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "speed.md"
PART = re.compile(r"(<!-- results: (\w+) -->\n).*?(<!-- end -->)", re.S)


def read(name: str) -> Any:
    """Return the results kept under a name."""
    return json.loads((HERE / "results" / f"{name}.json").read_text(encoding="utf-8"))


def few(value: float, digits: int = 3) -> str:
    """Return a number with so many digits, and no exponent."""
    return f"{float(f'{value:.{digits}g}'):,.10g}"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def taken_on(about: dict[str, Any]) -> str:
    """Return a line that says where and when something was measured."""
    processor = about["processor"] or about["machine"]
    return (
        f"{processor}, {about['cores']} cores, jaxlib {about['versions']['jaxlib']},"
        f" {about['date']}"
    )


def times(rows: list[dict[str, Any]], begin: str) -> float:
    """Return how many times mcjax's time the quickest contestant of a name takes."""
    return float(min(row["times_mcjax"] for row in rows if row["name"].startswith(begin)))


def own(rows: list[dict[str, Any]]) -> float:
    """Return the microseconds a fit of mcjax."""
    return float(next(row["microseconds"] for row in rows if row["name"].startswith("mcjax")))


def race() -> str:
    """Return the race, and where it was run."""
    kept = read("speed")
    return f"\n{summary(kept['results'])}\n({taken_on(kept['about'])})\n"


def random_numbers() -> str:
    """Return how much of a fit goes into random numbers."""
    results = read("speed")["results"]
    each = {row["name"]: row["microseconds"] for row in results["parts"]["random"]}
    spent = 200 * (5 * each["words and normals"] + each["words"])
    share = spent / own(results["logistic, 1 core"])
    return f"Random numbers alone take {share:.0%} of mcjax's time.\n"


def more() -> str:
    """Return other sizes and models of the race."""
    results = read("speed")["results"]
    mixed, large = results["logistic mixed, 1 core"], results["logistic p=20, 1 core"]
    linear = {rows: results[f"linear N={rows}, 1 core"] for rows in (200, 1000)}
    collapse = results["parts"]["collapse"][1]
    classes = read("multinomial")["results"]["multinomial"]["microseconds_per_fit"]
    own_ms, newton, usual, exact = (
        few(classes[name] / 1000, 2)
        for name in (
            "mcjax",
            "plain newton",
            "scikit-learn lbfgs, tolerance 0.0001",
            "scikit-learn newton-cg, tolerance 1e-08",
        )
    )
    vmap = "`vmap` of Newton's method"
    rows = [
        (
            "Default precision (`mixed`)",
            f"{few(own(mixed))} µs a fit; the best NumPy in double precision"
            f" {few(times(mixed, 'NumPy'))} times as long",
        ),
        (
            "20 parameters",
            f"{few(own(large))} µs; {vmap} {few(times(large, 'vmap Newton, 64'))} times (64 chains)"
            f" and {few(times(large, 'vmap Newton, 1,024'))} times (1,024) as long",
        ),
        (
            "Linear models, from sufficient statistics",
            f"{few(own(linear[200]))} µs (200 rows) and {few(own(linear[1000]))} µs (1,000 rows);"
            f" {vmap} {few(times(linear[200], 'vmap Newton'))} and"
            f" {few(times(linear[1000], 'vmap Newton'))} times as long",
        ),
        ("A network that collapses", f"{few(collapse['times_mcjax'], 2)} times a stable one"),
        (
            "`multinomial`, 10 classes, 11 covariates, 500 rows",
            f"{own_ms} ms a fit from 0; {vmap} {newton} ms, scikit-learn {usual} ms, or {exact} ms"
            " to the same digits (`benchmarks/multinomial.py`)",
        ),
        ("Compilation", "seconds, see [below](#compilation)"),
    ]
    return "\n" + table(["", "Time"], rows) + "\n"


def whole_study() -> str:
    """Return the time of a whole study, and of a loop."""
    results = read("speed")["results"]
    study = results["study"]
    slow = next(r for r in results["logistic, 1 core"] if r["name"] == "statsmodels")
    minutes = slow["microseconds"] * study["fits"] / 60e6 / 2
    return (
        f"A whole study of {study['chains']:,} chains of four models over {study['generations']}"
        f" generations, which is {few(study['fits'] / 1e6, 2)} million fits, judged,\ntakes"
        f" {few(study['seconds'], 2)} s from the command line on two cores. A loop over"
        f" statsmodels would take {few(minutes, 2)} minutes on both.\n"
    )


def quantiles() -> str:
    """Return the times of quantile regression on both paths."""
    kept = read("quantiles")
    rows = [
        (
            *map(str, (one["p"], one["rows"], one["level"])),
            f"`{one['precision']}`",
            few(one["vertices"]["microseconds"]),
            few(one["interior points"]["microseconds"]),
        )
        for one in kept["results"]
    ]
    headings = ["p", "Rows", "Level", "Precision", "µs a fit"]
    found = table([*headings, "Interior points, on the reference path"], rows)
    return f"\n{found}\n({taken_on(kept['about'])})\n"


def accelerator() -> str:
    """Return the times of chains on an accelerator, alone and in whole simulations."""
    kept = read("accelerator")
    about, results = kept["about"], kept["results"]
    rows = [
        (
            one["family"],
            *(str(one[name]) for name in ("models", "parameters")),
            f"`{one['precision']}`",
            few(one["chains alone, µs a fit"], 2),
            few(one["simulation, µs a fit"], 2),
            f"{1 - one['chains alone, µs a fit'] / one['simulation, µs a fit']:.0%}",
        )
        for one in results["parts"]
    ]
    headings = ["family", "models", "p", "precision", "chains alone, µs a fit"]
    found = table([*headings, "whole simulation, µs a fit", "summing up"], rows)
    return f"\n{found}\n({about['device']}; {taken_on(about)})\n"


def users() -> str:
    """Return the times of models of a user's own."""
    kept = read("users_models")
    results = kept["results"]
    scalar = [
        (
            one["family"],
            f"`{one['precision']}`",
            few(one["built_in"]["microseconds"]),
            few(one["own"]["microseconds"]),
            few(one["times_built_in"]),
        )
        for one in results["scalar"]
    ]
    general = [
        (
            one["loss"],
            f"`{one['precision']}`",
            few(one["chains_microseconds"]),
            few(one["own"]["microseconds"]),
            few(one["vmap, 64 at a time"]["times_own"]),
            few(one["vmap, all at once"]["times_own"]),
        )
        for one in results["general"]
    ]
    many = [
        (
            one["loss"],
            str(one["predictors"]),
            f"`{one['precision']}`",
            f"{one['correlation']:g}",
            str(one["p"]),
            few(one["newton"]["microseconds"]),
            few(one["lbfgs"]["microseconds"]),
        )
        for one in results["many"]
    ]
    found = table(
        ['`predictor="linear"`', "Precision", "Built in, µs a fit", "Own, µs a fit", "Times"],
        scalar,
    )
    found += "\n" + table(
        [
            "Loss of θ as a whole",
            "Precision",
            "µs a fit, with its data",
            "µs a fit alone",
            "`vmap`, 64 at a time",
            "`vmap`, all at once",
        ],
        general,
    )
    found += "\n" + table(
        [
            "Loss of θ as a whole",
            "Predictors found",
            "Precision",
            "Correlation",
            "p",
            "Newton's method, µs a fit",
            "L-BFGS, µs a fit",
        ],
        many,
    )
    return f"\n{found}\n({taken_on(kept['about'])})\n"


def many_parameters() -> str:
    """Return the times of fits of many parameters."""
    kept = read("large_p")
    rows = [
        (
            f"{one['p']} (fast path)" if one["fits"]["newton"]["path"] == "fast" else str(one["p"]),
            *(few(one["fits"][name]["microseconds"]) for name in ("newton", "textbook", "lbfgs")),
            f"{one['share_of_square_products']:.0%}",
            *(few(one["products"][name], 2) for name in ("jax", "numpy", "jax_square")),
        )
        for one in kept["results"]
    ]
    headings = ["p", "mcjax, µs a fit", "textbook Newton", "L-BFGS", "share of large products"]
    headings += ["product, JAX", "product, NumPy", "large product"]
    return f"\n{table(headings, rows)}\n({taken_on(kept['about'])})\n"


def compilation() -> str:
    """Return the seconds of compilation."""
    kept, rows = read("compile_time"), {}
    for one in kept["results"]:
        name = one["family"]
        if one["precision"] == "float32":
            name += ", in single precision"
        elif one["now"]["path"] == "statistics":
            name += ", without rows"
        spent = one["now"]["lower"] + one["now"]["compile"]
        rows.setdefault(name, {})[one["p"]] = few(spent, 2)
    sizes = sorted({one["p"] for one in kept["results"]})
    lines = [(name, *(found.get(p, "") for p in sizes)) for name, found in rows.items()]
    return (
        f"\n{table(['family', *(f'p = {p}' for p in sizes)], lines)}\n({taken_on(kept['about'])})\n"
    )


def bench() -> str:
    """Return the table that ``mcjax bench`` prints."""
    kept = read("bench")
    rows = [
        (
            one["family"],
            *(str(one[name]) for name in ("p", "rows", "models", "devices")),
            f"{one['fits_per_second']:,.0f}",
            few(one["microseconds"]),
            few(one["chains_microseconds"]),
            f"{one['bound_share']:.0%}",
            few(one["compile_seconds"], 2),
            one["bound_by"],
            f"{one['converged']:.2%}",
        )
        for one in kept["results"]
    ]
    headings = ["family", "p", "rows", "models", "devices", "fits/s", "µs a fit"]
    found = table(
        [*headings, "chains alone", "of bound", "compile s", "bound by", "converged"], rows
    )
    rates = [few(kept["machine"][f"product_rate_float{bits}"] / 1e9, 2) for bits in (32, 64)]
    return (
        f"\n{found}\nProducts of matrices reached {rates[0]} and {rates[1]} GFLOP/s in single and"
        f" double precision\n({taken_on(kept['machine'])}).\n"
    )


PARTS: dict[str, Callable[[], str]] = {
    part.__name__: part
    for part in (
        race,
        random_numbers,
        more,
        whole_study,
        quantiles,
        users,
        accelerator,
        many_parameters,
        compilation,
        bench,
    )
}


def filled(page: str) -> str:
    """Return the page with the numbers of the results kept."""
    return PART.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}{found[3]}", page)


def main() -> None:
    """Write the page."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
