"""The commands: their JSON, their exit statuses, and what they keep."""

import codecs
import json
import subprocess
import sys

import numpy as np
import pytest

from mcjax.cli import saving, verify
from mcjax.engine import engine

FLIPPED = """
[network]
models = ["0", "1", "2", "3"]
initial = 100
feeds = [
  { from = "0", to = "0", samples = 100 },
  { from = "0", to = "1", samples = 50 },
  { from = "real", to = "1", samples = 50 },
  { from = "1", to = "2", samples = 100 },
  { from = "3", to = "3", samples = 50 },
  { from = "real", to = "3", samples = 50 },
]
"""


def test_diagnose_json(tmp_path, call_json):
    path = tmp_path / "net.toml"
    path.write_text(FLIPPED)
    status, found = call_json("diagnose", path)
    assert status == 0
    assert found["collapses"] is True
    growth = [found["models"][name]["growth"] for name in "0123"]
    np.testing.assert_allclose([g * 100 for g in growth[:3]], [1, 1 / 4, 1 / 4])
    assert growth[3] is None
    # c = c / 4 + 1 / 100, half its own and half real data of 100 samples in all
    assert found["models"]["3"]["limit"] == pytest.approx(4 / 3 / 100)
    assert found["models"]["2"]["limit"] is None
    assert found["models"]["2"]["path"] == ["0", "1", "2"]
    assert found["models"]["2"]["sources"] == [["0"]]
    assert found["models"]["3"]["sources"] == []
    assert found["unstable_sources"] == [{"members": ["0"], "period": 1, "blind": []}]
    assert found["repairs"] == [{"from": "real", "to": "0"}]
    assert {"from": "2", "to": "3"} in found["flips"]


def test_diagnose_text(tmp_path, call):
    path = tmp_path / "net.toml"
    path.write_text(FLIPPED)
    status, out, err = call("diagnose", path)
    assert status == 0
    assert err.startswith("read: 4 models, ")
    assert err.count("\n") == 1
    for text in ("3 of 4 models collapse", "Collapse origin: 0", "0 -> 1 -> 2", "real -> 0"):
        assert text in out


def test_diagnose_imports_no_jax_and_is_fast(tmp_path):
    """500 models and 5,000 feeds, in a process of its own, which tells its time on a processor."""
    rng = np.random.default_rng(0)
    pairs = {tuple(p) for p in rng.integers(0, 500, (5300, 2)).tolist()}
    feeds = [f'{{ from = "{j}", to = "{i}", samples = 100 }}' for j, i in sorted(pairs)[:5000]]
    feeds.append('{ from = "real", to = "0", samples = 100 }')
    path = tmp_path / "large.toml"
    path.write_text("[network]\nmodels = 500\ninitial = 100\nfeeds = [\n" + ",\n".join(feeds) + "]")
    code = (
        "import sys; from mcjax.cli import main; sys.argv = ['mcjax', 'diagnose', sys.argv[1]]\n"
        "try: main.run()\n"
        "except SystemExit: pass\n"
        "assert not {'jax', 'matplotlib', 'optax', 'xarray', 'pandas'} & set(sys.modules)\n"
        "import time; print(time.process_time(), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True)
    assert float(ran.stderr.split()[-1]) < 4  # 1.0 to 2.0 on two cores, quiet and busy


def test_importing_mcjax_changes_nothing():
    code = (
        "import sys, mcjax; assert 'jax' not in sys.modules\n"
        "import jax; before = dict(jax.config.values)\n"
        "for name in mcjax.__all__: getattr(mcjax, name)\n"
        "import mcjax.cli.commands, mcjax.cli.verify, mcjax.figures.catalogue\n"
        "assert dict(jax.config.values) == before\n"
        "assert not jax.live_arrays(), 'arrays allocated at import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_predict_json(study_file, call_json):
    status, found = call_json("predict", study_file)
    assert status == 0
    assert found["models"] == ["a", "b", "c"]
    law = found["laws"]["first_order"]
    assert law["exact"] is False
    assert "first-order" in law["source"]
    mse = np.array(law["mse"])
    assert mse.shape == (4, 3)
    # a: half its own, half real: c <- c / 4 + 1 / 200; b reads a; c is frozen. MSE = 2 c.
    c = [1 / 200]
    for _ in range(3):
        c.append(c[-1] / 4 + 1 / 200)
    np.testing.assert_allclose(mse[:, 0], 2 * np.array(c))
    np.testing.assert_allclose(mse[1:, 1], 2 * (np.array(c[:-1]) + 1 / 200))
    np.testing.assert_allclose(mse[:, 2], 2 / 200)


def test_verify_json(study_file, call_json):
    status, found = call_json("verify", study_file, "--quiet")
    assert (status, found["verdict"]) == (0, "verified")
    assert found["chains"] == 256
    assert found["failures"] == {}
    laws = [cell["law"] for cell in found["cells"]]
    assert laws.count("first_order") == laws.count("finite_sample") == len(laws) / 2 == 4 * 3
    for cell in found["cells"]:
        assert cell["quantity"] == "mse"
        assert cell["ratio"] == pytest.approx(cell["empirical"] / cell["predicted"])
        low, high = cell["interval"]
        assert low < cell["ratio"] < high
        assert (cell["verdict"] == "verified") == (low > 0.5 and high < 1.5)
        assert cell["standard_error"] > 0
    assert {c["generation"] for c in found["cells"]} == {0, 1, 2, 3}
    assert {c["condition"] for c in found["cells"]} == {""}


def test_progress_goes_to_standard_error(study_file, call):
    status, out, err = call("verify", study_file, "--json")
    assert status == 0
    json.loads(out)
    assert "256 of 256 chains" in err


def test_a_feed_dropped_from_the_law_alone_is_refuted(study_file, tmp_path, call_json):
    """The planted error: the laws know of no real feed to a."""
    text = study_file.read_text()
    wrong = tmp_path / "wrong.toml"
    feed = '[[network.feeds]]\nfrom = "real"\nto = "a"\nsamples = 100\n'
    assert feed in text
    wrong.write_text(text.replace(feed, ""))
    status, found = call_json("verify", study_file, "--theory", wrong, "--chains", 2048)
    assert (status, found["verdict"]) == (1, "refuted")


def test_theory_must_match(study_file, tmp_path, call):
    other = tmp_path / "other.toml"
    other.write_text(study_file.read_text().replace('"c"]', '"c", "d"]'))
    status, _, err = call("verify", study_file, "--theory", other)
    assert (status, err.count("\n")) == (2, 1)


@pytest.mark.parametrize("theta", ["[-3.0, 7.0]", "[1.0, 1.0, 1.0]"])
@pytest.mark.parametrize("option", ["--quiet", "--plan"])
def test_a_theory_has_the_truth_of_the_study(study_file, tmp_path, call, theta, option):
    """Errors are distances from the truth, and those from another one say nothing here."""
    text, other = study_file.read_text(), tmp_path / "other.toml"
    line = next(line for line in text.splitlines() if line.startswith("theta"))
    other.write_text(text.replace(line, f"theta = {theta}"))
    status, out, err = call("verify", study_file, "--theory", other, option)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert f"{other}: family.theta" in err


def test_too_few_chains_are_inconclusive(study_file, call_json):
    study_file.write_text(study_file.read_text().replace("tolerance = 0.5", "tolerance = 0.01"))
    status, found = call_json("verify", study_file, "--chains", 64)
    assert (status, found["verdict"]) == (3, "inconclusive")
    needed = [c["chains_needed"] for c in found["cells"] if c["verdict"] == "inconclusive"]
    assert max(n for n in needed if n is not None) > 64


def test_failures_are_shown(tmp_path, study_file, call, call_json):
    """An unanchored logistic model on eight rows separates sooner or later."""
    text = study_file.read_text().replace('"linear"', '"logistic"')
    text = text.replace("initial = 200", "initial = 8").replace("samples = 100", "samples = 4")
    study_file.write_text(text.replace("samples = 200", "samples = 8"))
    status, found = call_json("verify", study_file, "--quiet")
    assert status in (1, 3)
    assert found["failures"]["separated"] > 0
    lost = [c for c in found["cells"] if c["note"]]
    assert lost
    assert all(c["verdict"] == "inconclusive" for c in lost)
    assert all(c["lost"] > 0 for c in lost)
    _, out, _ = call("verify", study_file, "--quiet")
    assert "separated" in out
    assert "Not judged" in out


@pytest.fixture
def forbid_simulation(monkeypatch):
    def stop(*_, **__):
        raise AssertionError("simulated again")

    return lambda: monkeypatch.setattr(engine, "run_blocks", stop)


def test_out_keeps_resumes_and_tops_up(study_file, tmp_path, call_json, forbid_simulation):
    out = tmp_path / "results"
    _, whole = call_json("verify", study_file, "--quiet", "--chains", 200)
    _, first = call_json("verify", study_file, "--quiet", "--chains", 100, "--out", out)
    _, more = call_json("verify", study_file, "--quiet", "--chains", 200, "--out", out)
    assert more == whole
    assert first != whole
    forbid_simulation()
    _, again = call_json("verify", study_file, "--quiet", "--chains", 200, "--out", out)
    assert again == whole
    assert json.loads((out / "verification.json").read_text())["cells"] == whole["cells"]
    about = json.loads((out / "study.json").read_text())
    assert about["environment"]["versions"]["jax"]
    assert about["settings"]["chains"] == 200


def test_an_interrupted_run_goes_on(study_file, tmp_path, call_json, monkeypatch):
    """Stopped in the middle of the chains, saved, and resumed: the same numbers to the last bit."""
    text = study_file.read_text()
    study_file.write_text(text.replace("chains = 256", "chains = 1024\nchunk = 128"))
    _, whole = call_json("verify", study_file, "--quiet")
    monkeypatch.setattr(saving, "SAVE_EVERY", 0.0)
    real, calls = engine.run_blocks, []

    def dies(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(engine, "run_blocks", dies)
    out = tmp_path / "results"
    with pytest.raises(KeyboardInterrupt):
        verify.run_verify(study_file, as_json=True, out=out, quiet=True)
    monkeypatch.setattr(engine, "run_blocks", real)
    _, resumed = call_json("verify", study_file, "--quiet", "--out", out)
    assert resumed == whole
    assert 0 < len(calls) < 5  # the next chunk may have been started


def test_families(call, call_json):
    status, found = call_json("families")
    assert status == 0
    assert set(found) >= {"linear", "logistic", "poisson", "huber", "quantile", "minimum_norm"}
    assert found["huber"]["parameters"]["threshold"] == 1.345
    _, out, _ = call("families")
    assert "loss(theta, x, y)" in out


def test_predict_of_a_grid(study_file, call_json, call):
    study_file.write_text(study_file.read_text() + '[grid]\nfamily = ["linear", "poisson"]\n')
    status, found = call_json("predict", study_file)
    assert status == 0
    assert set(found["conditions"]) == {"family=linear", "family=poisson"}
    assert "family=poisson: first_order" in call("predict", study_file)[1]


@pytest.mark.system
def test_figures_leave_pdf_png_and_data(tmp_path, call):
    status, out, _ = call("figures", "flip", "--out", tmp_path, "--chains", 64)
    assert status == 0
    names = {line.rsplit("/")[-1] for line in out.split()}
    assert names == {"flip.pdf", "flip.png", "flip.csv"}
    assert all((tmp_path / name).stat().st_size > 500 for name in names)


def test_a_study_file_that_goes_while_it_runs(study_file, tmp_path, call, monkeypatch):
    """It was read; the results are kept and shown all the same."""
    real = verify.judge

    def judge(*arguments):
        study_file.unlink()
        return real(*arguments)

    monkeypatch.setattr(verify, "judge", judge)
    status, out, _ = call("verify", study_file, "--quiet", "--out", tmp_path / "out")
    assert status == 0
    assert "verified" in out
    assert "samples = 100" in (tmp_path / "out" / "report.md").read_text()


def test_progress_of_a_run_that_goes_on(study_file, tmp_path, call):
    """A last tile that was not full is run again, and no chain counted twice."""
    call("verify", study_file, "--quiet", "--out", tmp_path / "out", "--chains", "100")
    _, _, err = call("verify", study_file, "--out", tmp_path / "out", "--chains", "256")
    assert "256 of 256 chains" in err


def test_byte_order_marks(study_file, tmp_path, call_json):
    """Some editors put one before the text of a file, be it a study, a theory or a law."""
    theory, law = tmp_path / "theory.toml", tmp_path / "mine.py"
    theory.write_bytes(codecs.BOM_UTF8 + study_file.read_bytes())
    code = "import numpy\ndef law(condition, t): return None, [numpy.eye(6)] * (t + 1)\n"
    law.write_bytes(codecs.BOM_UTF8 + code.encode())
    study_file.write_bytes(theory.read_bytes())
    chosen = ("--chains", 128, "--quiet", "--theory", theory, "--law", law)
    _, found = call_json("verify", study_file, *chosen)
    assert {cell["law"] for cell in found["cells"]} == {"first_order", "finite_sample", "mine"}
