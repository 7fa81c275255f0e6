"""An interrupted command promises to resume only if it does."""

import importlib

import pytest

RESUMES, NOTHING = "the same command resumes from here", "nothing was kept, which --out DIR does"


@pytest.mark.parametrize(
    ("command", "stopped", "told"),
    [
        (["verify", "FILE"], "verify.run_verify", f"stopped; {NOTHING}"),
        (["verify", "FILE", "--out", "DIR"], "verify.run_verify", f"stopped; {RESUMES}"),
        (["verify", "FILE", "--plan"], "plan.run_plan", "stopped"),
        (["published"], "published.run_published", f"stopped; {NOTHING}"),
        (["published", "--out", "DIR"], "published.run_published", f"stopped; {RESUMES}"),
        (["check", "FILE"], "check.run_check", "stopped"),
        (["predict", "FILE"], "commands.run_predict", "stopped"),
        (["laws", "FILE"], "commands.run_laws", "stopped"),
        (["figures", "--out", "DIR"], "commands.run_figures", "stopped"),
        (["replay", "DIR", "--chain", "0"], "replay.run_replay", "stopped"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_an_interrupted_command_says(command, stopped, told, study_file, call, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    module, _, name = stopped.partition(".")
    monkeypatch.setattr(importlib.import_module(f"mcjax.cli.{module}"), name, interrupted)
    places = {"FILE": study_file, "DIR": study_file.parent / "kept"}
    status, out, err = call(*(places.get(part, part) for part in command))
    assert (status, out, err.strip()) == (130, "", f"mcjax: {told}")
