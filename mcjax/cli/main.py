"""Define the commands and options of the command line.

Commands that do not need JAX do not import it.
"""

from __future__ import annotations

import io
import math
import os
import sys
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import click

from mcjax.cli.bench import bench
from mcjax.cli.drawings import figures, plot
from mcjax.cli.judging import judge
from mcjax.cli.resumable import Resumable
from mcjax.cli.start import import_jax, start_jax
from mcjax.cli.status import BAD_INPUT, CLOSED, EXIT, FAULT, STOPPED
from mcjax.errors import InputError, SharedError, naming
from mcjax.faults import fault_sentence, place_of
from mcjax.files import reading_once
from mcjax.laws.collapse.origins import CLAUSES
from mcjax.text import shown

LONGEST = 1200
"""Largest number of characters of a sentence."""

PATH = click.Path(path_type=Path)
file_argument = click.argument("file", type=PATH)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
law_option = click.option(
    "--law",
    "laws",
    type=PATH,
    multiple=True,
    help="A law of your own, a Python file with law(condition, generations) or an object LAW; or"
    " second_order or surrogate.",
)
path_option = click.option(
    "--path",
    type=click.Choice(["auto", "reference"]),
    help="Path that runs the chains; 'reference' never uses a fast path.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mcjax")
def cli() -> None:
    """Test theories of model collapse by simulation, and diagnose pipelines."""


@cli.command()
@file_argument
@json_option
@click.option("--out", type=PATH, help="Also draw the network: PAGE.html or PICTURE.svg.")
@click.option("--only", metavar="NAME", multiple=True, help="Show this model; may be repeated.")
@click.option("--worst", type=click.IntRange(1), help="Show so many models, the worst first.")
@click.option("--by-owner", "owners", is_flag=True, help="Take models OWNER/NAME as one of OWNER.")
def diagnose(file: Path, as_json: bool, out: Path | None, **options: Any) -> None:
    """Show in which of three ways a network fails, and why.

    Noise may accumulate, the truth may be forgotten, errors may explode. The report also shows the
    smallest cure. Nothing is simulated. Of more than 2,000 models the worst 20 are shown.
    """
    from mcjax.cli.diagnose import run_diagnose

    run_diagnose(file, as_json, out, **options)


@cli.command()
@file_argument
@json_option
@click.option("--write", type=PATH, help="Also write the study with these real rows to this file.")
def design(file: Path, as_json: bool, write: Path | None) -> None:
    """Find how much real data to give to which model.

    The [design] table of the study FILE has a budget for real rows, or targets for errors. The
    answer comes with a bound on how good it is. Nothing is simulated.
    """
    from mcjax.design import design_file
    from mcjax.design.written import write_study

    allocation = design_file(file, lambda note: click.echo(f"read: {note}", err=True))
    if write is not None:
        with naming(file):
            write_study(file, allocation.network, write)
    if as_json:
        from mcjax.text import strict_json

        click.echo(strict_json(allocation.to_json()))
    else:
        from mcjax.report.design import show_allocation

        show_allocation(allocation)


@cli.command()
@file_argument
@json_option
@law_option
def predict(file: Path, as_json: bool, laws: tuple[Path, ...]) -> None:
    """Show what the laws predict for a study.

    Errors are predicted generation by generation. Nothing is simulated.
    """
    start_jax()
    from mcjax.cli.commands import run_predict

    with naming(file):
        run_predict(file, as_json, laws)


@cli.command(cls=Resumable)
@click.argument("file", type=PATH, required=False)
@json_option
@click.option("--out", type=PATH, help="Keep the results in this folder.")
@click.option(
    "--theory",
    type=PATH,
    help="Judge the predictions for the study in this file instead.",
)
@click.option("--chains", type=click.IntRange(min=2), help="Number of chains, in place of FILE's.")
@click.option("--quiet", is_flag=True, help="Do not show progress.")
@click.option(
    "--builtin",
    help="Use a built-in file: study, real-data, every-3, every-4, every-pair, drawn-pairs,"
    " pairs-3, vae-digits, vae-mnist, lm-docs or lm-entities.",
)
@click.option(
    "--with",
    "files",
    multiple=True,
    metavar="NAME=FILE",
    help="Your mnist=FILE for vae-mnist; mnist=FILE or cifar=FILE for real-data; may be repeated.",
)
@click.option(
    "--without",
    type=click.Choice(CLAUSES),
    help="Judge a survey by the collapse law without this clause.",
)
@law_option
@click.option(
    "--until-decided",
    is_flag=True,
    help="Add chains only where cells are undecided, up to the study's number.",
)
@click.option(
    "--distributed",
    help="Share the work with other processes: 'auto' in a SLURM, MPI or TPU job, otherwise"
    " HOST:PORT,INDEX,COUNT.",
)
@path_option
@click.option(
    "--plan", is_flag=True, help="Only show how many chains and how much time the study needs."
)
@click.option(
    "--power",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.9,
    show_default=True,
    help="With --plan: probability that all laws are verified if they are true.",
)
def verify(
    file: Path | None,
    builtin: str | None,
    plan: bool,
    power: float,
    distributed: str | None,
    **options: Any,
) -> int:
    """Simulate a study, and judge the laws.

    FILE is a study, of statistical models or of generators, or a survey, or the name of a built-in
    file. It defaults to a built-in study.

    Exit status: 0 verified, 1 refuted, 2 bad input, 3 inconclusive.
    """
    start_jax(None if plan else distributed)
    from mcjax.cli.plan import run_plan
    from mcjax.cli.verify import run_verify
    from mcjax.study.load import BUILTIN, builtin_file

    if file is not None and str(file) in BUILTIN and not file.exists():
        file, builtin = None, builtin or str(file)
    if builtin is not None and file is not None:
        raise InputError("--builtin", "and FILE exclude each other; keep one")
    source = file or builtin_file("study" if builtin is None else builtin)
    if math.isnan(power):
        raise InputError("--power", "is no number; give a probability between 0 and 1")
    given = click.get_current_context().get_parameter_source("power")
    if not plan and given is click.core.ParameterSource.COMMANDLINE:
        raise InputError("--power", "is for --plan, which is missing; add it, or leave --power out")
    if plan:
        unused = {"--distributed": distributed, "--out": options["out"]}
        unused |= {"--without": options["without"], "--until-decided": options["until_decided"]}
        for option, given in unused.items():
            if given:
                problem = "does nothing with --plan, which runs no study; leave one out"
                raise InputError(option, problem)
    with naming(file or builtin or "the built-in study"):
        if plan:
            run_plan(source, power, **options)
            return 0
        return EXIT[run_verify(source, **options)]


@cli.command()
@file_argument
@click.option("--theta", help="For a Python file: parameters at which to check, as in 0.5,-0.5.")
@law_option
@json_option
def check(file: Path, **options: Any) -> int:
    """Check your own code before it is simulated.

    FILE is a study, or a Python file with loss and sample. Shows what is right and wrong with a
    model, an estimator or a law of your own: whether it runs, draws from its keys, has derivatives,
    and is smallest at the parameters from which it samples.

    Exit status: 0 if all checks pass, 2 if one fails.
    """
    start_jax()
    from mcjax.cli.check import run_check

    return 0 if run_check(file, **options) else BAD_INPUT


@cli.command()
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--condition", help="Name of the condition, if the study has more than one.")
@click.option("--chain", required=True, help="Number of the chain, from 0; it need not have run.")
@click.option("--file", type=PATH, help="Study file, if it has moved.")
@path_option
@json_option
def replay(folder: Path, **options: Any) -> None:
    """Run one chain of a study again.

    The study is the one whose results are in DIR. Shows the chain's estimates, the statuses of its
    fits, and a summary of their data.
    """
    start_jax()
    from mcjax.cli.replay import run_replay

    with naming(folder):
        run_replay(folder, **options)


@cli.command(cls=Resumable)
@click.argument("names", metavar="[ID]...", nargs=-1)
@json_option
@click.option("--out", type=PATH, help="Keep the results and their figure here.")
@click.option("--deep", is_flag=True, help="Judge to within 1% instead of 3%, which takes longer.")
@click.option("--quiet", is_flag=True, help="Do not show progress.")
def published(**options: Any) -> int:
    """Simulate and judge published results.

    Each ID is that of a result or of a group of results; without one, all are judged.
    """
    start_jax()
    from mcjax.cli.published import run_published

    return EXIT[run_published(**options)]


@cli.command()
@click.argument("file", type=PATH, required=False)
@json_option
def laws(file: Path | None, as_json: bool) -> None:
    """List the laws, and where they apply.

    With a study FILE, shows for each condition which laws apply, and why others do not.
    """
    start_jax()
    from mcjax.cli.commands import run_laws

    with naming(file or "laws"):
        run_laws(file, as_json)


@cli.command()
@json_option
def families(as_json: bool) -> None:
    """List the statistical models for studies.

    A study file names them as families. Shows their parameters with defaults.
    """
    import_jax()
    from mcjax.cli.commands import run_families

    run_families(as_json)


cli.add_command(bench)
cli.add_command(figures)
cli.add_command(judge)
cli.add_command(plot)


def run() -> None:
    """Run the command line, and exit with one sentence and status 2 on bad input."""
    orderly = False
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names may have letters that it cannot encode
            stream.reconfigure(errors="backslashreplace")
    try:
        with reading_once(), warnings.catch_warnings():
            warnings.showwarning = _warn
            status = cli(standalone_mode=False) or 0
        if sys.stdout is not None:
            sys.stdout.flush()  # so that an error in writing is reported
        orderly = True
    except InputError as error:
        orderly = isinstance(error, SharedError)
        status = _report(BAD_INPUT, str(error))
    except click.exceptions.NoArgsIsHelpError as error:
        with suppress(OSError):
            error.show()
        status = BAD_INPUT
    except click.ClickException as error:
        status = _report(BAD_INPUT, _usage(error))
    except (click.Abort, KeyboardInterrupt) as error:
        status = _report(STOPPED, str(error) or "stopped")
    except BrokenPipeError:
        status = CLOSED
    except SystemExit as error:  # click and rich exit with 1 if a pipe is closed, a shell's
        status = CLOSED if error.code else 0  # completion exits with 0
    except Exception as error:
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):  # NumPy's, XLA's
            sentence = "this needs more memory than there is; lower generations, models or samples"
            status = _report(BAD_INPUT, sentence)
        elif isinstance(error, OSError) and error.errno is not None:  # of the operating system
            place = error.filename or "the output"
            sentence = f"{place}: cannot be used ({error.strerror}); make room, or name another"
            status = _report(BAD_INPUT, sentence)
        elif place_of(error):  # a user's code, which mcjax calls
            status = _report(BAD_INPUT, f"your code {fault_sentence(error)}")
        else:
            with suppress(OSError):
                traceback.print_exc()
            status = _report(FAULT, "the lines above show an error in mcjax, not in your input")
    _release_output()
    processes = sys.modules.get("mcjax.engine.processes")
    if not orderly and processes is not None and processes.several():
        # an orderly exit would wait for the other processes, which wait for this one
        os._exit(status)
    sys.exit(status)


def _report(status: int, sentence: str) -> int:
    """Write a sentence to standard error, if possible, and return the status.

    Of a sentence that is very long, because it repeats what a file gives, the middle is left out.
    """
    whole = shown(sentence)
    if len(whole) > LONGEST:
        whole = f"{whole[: LONGEST // 2]} ... {whole[-LONGEST // 2 :]}"
    with suppress(OSError):
        click.echo(f"mcjax: {whole}", err=True)
    return status


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Write a warning of mcjax as a sentence; those of libraries are not for users."""
    if issubclass(category, UserWarning | RuntimeWarning):
        _report(0, str(message))


def _usage(error: click.ClickException) -> str:
    """Return a sentence on a wrong call, with the command whose help says what is right."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = "mcjax" if context is None else context.command_path
    return f"{error.format_message().rstrip('.')}; see `{command} --help`"


def _release_output() -> None:
    """Flush the output, and discard what cannot be written.

    Python would otherwise try again at exit, and set an exit status of its own.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
