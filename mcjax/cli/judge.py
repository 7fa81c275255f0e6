"""Run ``mcjax judge``: judge logged losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import click

from mcjax.errors import InputError, naming
from mcjax.logs.judge import judge_losses
from mcjax.logs.judgement import LossJudgement
from mcjax.logs.table import BUILTIN, Losses, read_losses
from mcjax.report.console import table_console
from mcjax.report.losses import judgement_json, show_judgement
from mcjax.text import shown, strict_json
from mcjax.verdicts.equivalence import Verdict

Laws = dict[str, str | Sequence[float]]


def run_judge(
    file: Path | None,
    *,
    laws: tuple[str, ...],
    study: Path | None,
    pair: Literal["common", "own"],
    first: int,
    tolerance: float,
    confidence: float,
    out: Path | None,
    as_json: bool,
) -> Verdict:
    """Judge the losses in a file, print the verdicts, and return that on all workflows.

    Raises
    ------
    InputError
        If the file, or an option, is wrong.
    """
    if out is not None:
        from mcjax.figures.files import refuse_foreign

        refuse_foreign(out, "losses")
    losses = read_losses(file or BUILTIN)
    told = losses.described()
    click.echo(f"read: {shown(told)}{'' if file else ', by Kazdan et al. 2024'}", err=True)
    given = _given(laws)
    with naming(file or "the built-in losses"):
        judgement = judge_losses(
            losses,
            laws=given if study is None else _of_study(study, losses, first) | given,
            pair=pair,
            first=first,
            tolerance=tolerance,
            confidence=confidence,
        )
    if as_json:
        click.echo(strict_json({"read": told, **judgement_json(judgement)}))
    else:
        show_judgement(table_console(), judgement)
    if out is not None:
        _draw(judgement, out)
    return judgement.verdict


def _law(given: str) -> tuple[str, str]:
    """Return workflow and law from ``WORKFLOW=LAW``."""
    workflow, equals, law = given.rpartition("=")
    if not (workflow and equals and law):
        raise InputError("--law", f"is {given!r}; write WORKFLOW=LAW, as in chat=replace")
    return workflow, law


def _given(laws: Sequence[str]) -> Laws:
    """Return the law of each workflow that is given one."""
    pairs = [_law(given) for given in laws]
    for workflow, law in pairs:
        others = [other for name, other in pairs if name == workflow and other != law]
        if others:
            problem = f"gives {workflow!r} the laws {law} and {others[0]}; keep one"
            raise InputError("--law", problem)
    return dict(pairs)


def _of_study(file: Path, losses: Losses, first: int) -> Laws:
    """Return the growth of errors of the models in a study, by its first-order law."""
    from mcjax.cli.start import start_jax

    start_jax()
    from mcjax.api import predict
    from mcjax.study.load import load_study

    with naming(file):
        study = load_study(file)
        if len(study.conditions) > 1:
            raise InputError("grid", "makes several conditions; give a study of one")
        models = study.conditions[0].network.models
        last = max(
            [int(t.max()) for name, (t, _) in losses.rows.items() if name in models], default=0
        )
        study = replace(study, generations=max(last - first, 1))
        [predictions] = predict(study)
        law = predictions.laws.get("first_order")
        if law is None:
            reason = predictions.inapplicable["first_order"]
            raise InputError("network", f"has no first-order law: {reason}")
    growths = law.mse / law.mse[0]
    found: Laws = {
        name: growths[:, k].tolist() for k, name in enumerate(models) if name in losses.rows
    }
    if not found:
        workflows = ", ".join(losses.rows)
        problem = f"has no model that is a workflow of the losses; name one of {workflows}"
        raise InputError("network.models", problem, str(file))
    return found


def _draw(judgement: LossJudgement, out: Path) -> None:
    """Draw the losses with their laws, and print the paths of the files to standard error."""
    from mcjax.figures.files import make_folder, save
    from mcjax.plot.logged import loss_rows
    from mcjax.plot.logged import losses as plot_losses
    from mcjax.plot.style import figure

    make_folder(out)
    with figure(1, 1, 3.6) as (fig, panels):
        plot_losses(judgement, panels[0, 0])
        paths = save(
            fig,
            out,
            "losses",
            rows=loss_rows(judgement),
            about="Logged losses, and the laws that they are judged by",
            columns={
                "workflow": "what was trained",
                "loss": "as it was logged",
                "predicted": "by the law, with the L0 and V of the workflow",
                "verdict": "on the workflow",
            },
        )
    for path in paths:
        click.echo(shown(str(path)), err=True)
