"""``mcjax judge``: exit statuses, JSON, studies, figures and wrong options."""

import subprocess
import sys

import numpy as np
import pytest

from mcjax.logs.growth import growth_of

STUDY = """
[network]
models = ["a", "b"]
initial = 100
feeds = [
    { from = "a", to = "a", samples = 50 },
    { from = "real", to = "a", samples = 50 },
    { from = "a", to = "b", samples = 100 },
]
[family]
name = "linear"
theta = [0.5, -0.5]
"""


@pytest.fixture
def write(tmp_path):
    """Write a file of losses that follow ``1 + 0.1 M_t`` nearly, for workflows by name."""

    def written(growths, first=1):
        rows = ["generation,workflow,loss"]
        for name, growth in growths.items():
            for k, m in enumerate(growth):
                rows.append(f"{first + k},{name},{1 + 0.1 * m + 1e-4 * np.sin(7.0 * k * k):.6f}")
        path = tmp_path / "losses.csv"
        path.write_text("\n".join(rows))
        return path

    return written


def test_the_built_in_losses_refute_replace(call, call_json):
    status, out, err = call("judge")
    assert status == 1
    assert err.startswith("read: 35 rows of replace, accumulate, subsample, generations 3 to 20")
    assert "One L0 and V for accumulate and subsample." in out
    assert out.splitlines()[-1].startswith("refuted: 3 workflows (0 verified, 1 refuted, 2 inconc")
    status, found = call_json("judge")
    assert status == 1
    assert found["verdict"] == "refuted"
    replace = found["workflows"]["replace"]
    assert replace["verdict"] == "refuted"
    assert replace["shares"] == ["accumulate", "subsample"]
    assert replace["L0_interval"][0] < replace["L0"] < replace["L0_interval"][1]
    assert {"V", "V_standard_error", "L0_standard_error"} <= set(replace)
    assert found["workflows"]["subsample"]["seeds_needed"] >= 1
    assert len(found["laws"]) == 9


def test_statuses_are_those_of_verdicts(call, write):
    growths = {law: growth_of(law, 12) for law in ("replace", "accumulate", "replace:0.5")}
    assert call("judge", write(growths))[0] == 0
    assert call("judge", write(growths), "--law", "accumulate=replace")[0] == 1
    few = {"replace": growth_of("replace", 4)}
    status, out, _ = call("judge", write(few))
    assert status == 3
    assert "log further generations, each with several seeds" in out


def test_names_are_no_markup(call, call_json, write):
    names = {"[red]a:smile:": "replace", "[/]": "accumulate"}
    path = write({name: growth_of(law, 12) for name, law in names.items()})
    laws = [part for name, law in names.items() for part in ("--law", f"{name}={law}")]
    status, out, err = call("judge", path, *laws)
    assert status == 0
    assert "One L0 and V for [red]a:smile: and [/]." in out
    assert "Of [red]a:smile: and [/] too few" in out
    assert "[red]a:smile:, [/]" in err
    assert list(call_json("judge", path, *laws)[1]["workflows"]) == list(names)
    assert call("judge", path)[0] == 2


def test_runs_that_drift_are_told(call, tmp_path):
    path = tmp_path / "losses.csv"
    rng = np.random.default_rng(0)
    rows = [
        f"{t},replace,{seed},{1 + 0.1 * t + 0.01 * seed + 0.002 * rng.standard_normal()}"
        for t in range(1, 9)
        for seed in range(3)
    ]
    path.write_text("\n".join(["generation,workflow,seed,loss", *rows]))
    assert "Of replace losses of one seed go together" in call("judge", path)[1]
    assert "go together" not in call("judge")[1]


def test_equal_repetitions_are_told(call, call_json, tmp_path):
    path = tmp_path / "losses.csv"
    rows = [f"{t},replace,{seed},{1 + 0.1 * t:.1f}" for t in range(1, 9) for seed in range(3)]
    path.write_text("\n".join(["generation,workflow,seed,loss", *rows]))
    assert "Repetitions of replace are equal to the last digit" in call("judge", path)[1]
    assert call_json("judge", path)[1]["workflows"]["replace"]["seeds_equal"] is True
    assert "equal to the last digit" not in call("judge")[1]


def test_models_of_a_study_are_judged_by_its_law(call, call_json, write, tmp_path):
    study = tmp_path / "study.toml"
    study.write_text(STUDY)
    half = growth_of("replace:0.5", 13)
    growths = {"a": half[:12], "b": [1, *(half[:11] + 1)]}
    status, found = call_json("judge", write(growths), "--study", study)
    assert (status, found["verdict"]) == (0, "verified")
    assert found["workflows"]["b"]["law"] == "given"
    wrong = {"a": growth_of("replace", 12), "b": growths["b"]}
    assert call("judge", write(wrong), "--study", study, "--pair", "own")[0] == 1
    status, _, err = call("judge", "--study", study)
    assert status == 2
    assert "has no model that is a workflow of the losses" in err


def test_a_figure_is_kept_and_others_are_not_overwritten(call, tmp_path):
    folder = tmp_path / "plots"
    status, _, err = call("judge", "--out", folder)
    assert status == 1
    names = {f"losses.{kind}" for kind in ("pdf", "png", "csv", "json")}
    assert {path.name for path in folder.iterdir()} == names
    assert "losses.pdf" in err
    table = (folder / "losses.csv").read_text().splitlines()
    assert len(table) == 1 + 35
    (folder / "losses.json").write_text("{}")
    status, _, err = call("judge", "--out", folder)
    assert status == 2
    assert "is not overwritten" in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--law", "replace"], "--law: is 'replace'; write WORKFLOW=LAW"),
        (["--law", "chat=replace", "--law", "chat=subsample"], "--law: gives 'chat' the laws"),
        (["--law", "chat=replace"], "names 'chat', which is not a workflow"),
        (["--law", "replace=replace:2"], "has no share of real rows"),
        (["--first", "5"], "3 of 'replace' comes before that of the first fit, 5; give --first 3"),
        (["--tolerance", "nan"], "tolerance"),
        (["--confidence", "1"], "confidence"),
        (["--pair", "both"], "--pair"),
        (["nowhere.csv"], "nowhere.csv: does not exist"),
    ],
)
def test_wrong_options_get_one_sentence(call, options, words):
    status, out, err = call("judge", *options)
    assert (status, out) == (2, "")
    assert words in err.splitlines()[-1]


def test_judging_imports_no_jax():
    code = (
        "import sys; from mcjax.cli import main; sys.argv = ['mcjax', 'judge']\n"
        "try: main.run()\n"
        "except SystemExit: pass\n"
        "assert not {'jax', 'matplotlib', 'xarray', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
