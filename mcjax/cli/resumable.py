"""Tell whoever interrupts a command whether it goes on from there."""

from __future__ import annotations

from typing import Any

import click


class Resumable(click.Command):
    """A command that keeps results in the folder of ``--out``, and goes on from them."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; of an interruption, say whether results were kept."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            told = "nothing was kept, which --out DIR does"
            if ctx.params["out"] is not None:
                told = "the same command resumes from here"
            raise click.Abort("stopped" if ctx.params.get("plan") else f"stopped; {told}") from stop
