"""The command line. Commands that need no JAX do not import it."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import click

from mcjax.cli.start import import_jax, start_jax
from mcjax.errors import InputError, SharedError, naming
from mcjax.laws.collapse.origins import CLAUSES
from mcjax.report.text import shown

EXIT = {"verified": 0, "refuted": 1, "inconclusive": 3}
BAD_INPUT = 2  # or an environment in which nothing runs
STOPPED, CLOSED = 130, 141  # as a shell tells of a program that SIGINT or SIGPIPE has ended
FAULT = 70  # of mcjax; 1 would say refuted, and says nothing else

file_argument = click.argument("file", type=click.Path(path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
law_option = click.option(
    "--law",
    "laws",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A law of your own: a Python file with law(condition, generations), or an object LAW.",
)
path_option = click.option(
    "--path",
    type=click.Choice(["auto", "reference"]),
    help="reference: no fast path, whatever the family.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mcjax")
def cli() -> None:
    """Does the theory of model collapse hold, and will your pipeline collapse?"""


@cli.command()
@file_argument
@json_option
def diagnose(file: Path, as_json: bool) -> None:
    """Will this network collapse, why, and what is the smallest cure? No simulation."""
    from mcjax.diagnosis import diagnose as run
    from mcjax.study.networks import read_pipeline

    diagnosis = run(*read_pipeline(file))
    if as_json:
        from mcjax.report.text import strict_json

        click.echo(strict_json(diagnosis.to_json()))
    else:
        from mcjax.report.diagnosis import show_diagnosis

        show_diagnosis(diagnosis)


@cli.command()
@file_argument
@json_option
@law_option
def predict(file: Path, as_json: bool, laws: tuple[Path, ...]) -> None:
    """What the laws say of the study's errors, generation by generation. No simulation."""
    start_jax()
    from mcjax.cli.commands import run_predict

    with naming(file):
        run_predict(file, as_json, laws)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@json_option
@click.option("--out", type=click.Path(path_type=Path), help="Keep the results in this folder.")
@click.option(
    "--theory",
    type=click.Path(path_type=Path),
    help="Take the predictions from this study file: what if the theory were of another network?",
)
@click.option("--chains", type=click.IntRange(min=2), help="Chains, instead of the file's.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--builtin", help="Instead of FILE, a built-in one: study, every-3 or every-4.")
@click.option(
    "--without",
    type=click.Choice(CLAUSES),
    help="Judge a survey by the collapse law without one of its clauses.",
)
@law_option
@click.option(
    "--until-decided",
    is_flag=True,
    help="Add chains only where cells are undecided, up to the study's number.",
)
@click.option(
    "--distributed",
    help="Work together with other processes: 'auto' in a SLURM, MPI or TPU job, else"
    " HOST:PORT,INDEX,COUNT.",
)
@path_option
@click.option("--plan", is_flag=True, help="Only say how many chains, and how long, it takes.")
@click.option(
    "--power",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.9,
    show_default=True,
    help="With --plan: probability that laws are all verified, if they are true.",
)
def verify(
    file: Path | None,
    as_json: bool,
    out: Path | None,
    theory: Path | None,
    chains: int | None,
    quiet: bool,
    builtin: str | None,
    without: str | None,
    plan: bool,
    power: float,
    laws: tuple[Path, ...],
    until_decided: bool,
    distributed: str | None,
    path: str | None,
) -> int:
    """Simulate, compare with the laws, judge. Without FILE: a built-in study.

    Exit status: 0 verified, 1 refuted, 2 bad input, 3 inconclusive.
    """
    start_jax(None if plan else distributed)
    from mcjax.cli.verify import run_verify
    from mcjax.study.load import builtin_file

    if builtin is not None:
        if file is not None:
            raise InputError("--builtin", "and FILE exclude each other; keep one")
        file = builtin_file(builtin)
    if plan:
        for option, given in (
            ("--distributed", distributed),
            ("--out", out),
            ("--without", without),
            ("--until-decided", until_decided),
        ):
            if given:
                raise InputError(option, "does nothing with --plan, which runs no study; drop one")
        from mcjax.cli.plan import run_plan
        from mcjax.study.load import builtin_study, load_study, load_survey

        with naming(file or "the built-in study"):
            if file is not None and load_survey(file) is not None:
                raise InputError("--plan", "is for a study, and this is a survey")
            study = builtin_study() if file is None else load_study(file)
            study = study if chains is None else replace(study, chains=chains)
            study = study if path is None else replace(study, path=path)
            run_plan(study, as_json, power, laws, theory)
        return 0
    with naming(file or "the built-in study"):
        verdict = run_verify(
            file, as_json, out, theory, chains, quiet, without, laws, until_decided, path
        )
    return EXIT[verdict]


@cli.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--condition", help="Its name, if the study has more than one.")
@click.option("--chain", required=True, help="Its number, from 0; it need not have run.")
@click.option("--file", type=click.Path(path_type=Path), help="The study's file, if it has moved.")
@path_option
@json_option
def replay(
    folder: Path,
    condition: str | None,
    chain: str,
    file: Path | None,
    path: str | None,
    as_json: bool,
) -> None:
    """Run one chain of the study in DIR again: estimates, fit statuses, and data behind them."""
    start_jax()
    from mcjax.cli.replay import run_replay

    with naming(folder):
        run_replay(folder, condition, chain, file, path, as_json)


@cli.command()
@click.argument("names", metavar="[ID]...", nargs=-1)
@json_option
@click.option("--out", type=click.Path(path_type=Path), help="Keep data and figure in this folder.")
@click.option("--deep", is_flag=True, help="To 1%, in many times the time, instead of 3%.")
@click.option("--quiet", is_flag=True, help="No progress.")
def published(
    names: tuple[str, ...], as_json: bool, out: Path | None, deep: bool, quiet: bool
) -> int:
    """The field's published numbers, simulated and judged: all, or those of an ID or a group."""
    start_jax()
    from mcjax.cli.published import run_published

    return EXIT[run_published(names, as_json, out, deep, quiet)]


@cli.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@json_option
def laws(file: Path | None, as_json: bool) -> None:
    """The built-in laws, and to which conditions of the study in FILE they apply, or why not."""
    start_jax()
    from mcjax.cli.laws import run_laws

    with naming(file or "laws"):
        run_laws(file, as_json)


@cli.command()
@json_option
def families(as_json: bool) -> None:
    """The families a study can name, with their parameters."""
    import_jax()
    from mcjax.cli.commands import run_families

    run_families(as_json)


@cli.command()
@click.argument("names", nargs=-1)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("figures"),
    show_default=True,
    help="Folder for PDF, PNG and data.",
)
@click.option("--chains", type=click.IntRange(min=64), help="Chains, instead of the figure's own.")
def figures(names: tuple[str, ...], out: Path, chains: int | None) -> None:
    """Draw the figures NAMES (default: all), each as PDF and PNG with its data beside it."""
    start_jax()
    from mcjax.cli.commands import run_figures

    sys.exit(0 if run_figures(names, out, chains) else FAULT)


def run() -> None:
    """Entry point: one sentence and exit status 2 for bad input."""
    orderly = False
    try:
        status = cli(standalone_mode=False) or 0
        if sys.stdout is not None:
            sys.stdout.flush()  # what cannot be written is to be told
        orderly = True
    except InputError as error:
        orderly = isinstance(error, SharedError)
        status = _told(BAD_INPUT, str(error))
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        status = BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        status = _told(STOPPED, "stopped; with --out, the same command goes on from here")
    except (BrokenPipeError, SystemExit):  # click and rich exit with 1 where a pipe is closed
        status = CLOSED
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:  # told by the system
            place = error.filename or "the output"
            sentence = f"{place}: cannot be used ({error.strerror}); make room, or name another"
            status = _told(BAD_INPUT, sentence)
        else:
            with suppress(OSError):
                traceback.print_exc()
            status = _told(FAULT, "the lines above show a fault of mcjax, not of your input")
    _let_go_of_output()
    processes = sys.modules.get("mcjax.engine.processes")
    if not orderly and processes is not None and processes.several():
        # an orderly exit waits for the others, who wait for this one
        os._exit(status)
    sys.exit(status)


def _told(status: int, sentence: str) -> int:
    """Say a sentence on standard error, if that can be written; returns the status."""
    with suppress(OSError):
        click.echo(f"mcjax: {shown(sentence)}", err=True)
    return status


def _let_go_of_output() -> None:
    """Flush, and let what cannot be written go nowhere: Python would try it again at the end, and
    exit with a status of its own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
