"""How columns become covariates and labels, and what is wrong with them."""

import numpy as np
import pandas as pd
import pytest

import mcjax

RNG = np.random.default_rng(3)
N = 60
FRAME = pd.DataFrame(
    {
        "age": RNG.normal(40, 9, N),
        "town": RNG.choice(["york", "bath", "ely"], N),
        "owner": RNG.random(N) < 0.5,
        "answer": RNG.choice(["yes", "no"], N),
        "count": RNG.poisson(2.0, N),
    }
)


def test_texts_become_indicators_of_all_but_the_first():
    data = mcjax.Data.from_frame(FRAME, "count")
    assert data.names == ("intercept", "age", "town=ely", "town=york", "owner=True", "answer=yes")
    np.testing.assert_array_equal(data.x[:, 3], FRAME["town"] == "york")
    np.testing.assert_array_equal(data.x[:, 4], FRAME["owner"])
    assert "indicators of the texts of town, owner, answer" in data.note


def test_of_two_texts_the_last_counts_as_one():
    data = mcjax.Data.from_frame(FRAME, "answer", covariates=("age",))
    np.testing.assert_array_equal(data.y, FRAME["answer"] == "yes")
    assert "1 for yes" in data.note
    towns = mcjax.Data.from_frame(FRAME, "town", covariates=["age"], positive=["york", "ely"])
    np.testing.assert_array_equal(towns.y, FRAME["town"] != "bath")


def test_a_third_text_of_another_file_is_neither_zero_nor_one(tmp_path):
    maybe = FRAME.replace({"answer": {"no": "maybe"}})
    maybe.to_csv(tmp_path / "maybe.csv", index=False)
    unsaid = mcjax.Data.from_frame(FRAME, "answer", covariates=("age",))
    rows = (FRAME["answer"] == "no").sum()
    with pytest.raises(mcjax.InputError, match=f"'no' and 'yes', and those of {rows} rows.*maybe"):
        unsaid.like(tmp_path / "maybe.csv")
    said = mcjax.Data.from_frame(FRAME, "answer", covariates=("age",), positive=["yes"])
    assert said.like(tmp_path / "maybe.csv").y.sum() == N - rows


@pytest.mark.parametrize("columns", [4, N + 9])
def test_standardised_columns_and_principal_components(columns):
    numbers = RNG.normal(size=(N, columns)) @ RNG.normal(size=(columns, columns)) + 7
    table = pd.DataFrame(numbers, columns=[f"x{k}" for k in range(columns)])
    table["y"] = 1.0 * np.arange(N)
    reduced = mcjax.Data.from_frame(table, "y", standardise=True, components=2)
    spread = (numbers - numbers.mean(0)) / numbers.std(0)
    left, size, _ = np.linalg.svd(spread, full_matrices=False)
    expected = left[:, :2] * size[:2]
    found = reduced.x[:, 1:]
    np.testing.assert_allclose(found * np.sign((found * expected).sum(0)), expected)


def test_standardised_columns():
    table = FRAME[["age", "count"]].assign(height=RNG.normal(170, 9, N))
    data = mcjax.Data.from_frame(table, "count", standardise=True)
    np.testing.assert_allclose(data.x[:, 1:].mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(data.x[:, 1:].std(0), 1)


def test_rows_are_chosen_and_held_out_by_a_seed():
    chosen = mcjax.Data.from_frame(FRAME, "count", covariates=["age"], rows=40, held_out=0.25)
    assert len(chosen.y) == 30
    assert len(chosen.held_out.y) == 10
    ages = np.concatenate([chosen.x[:, 1], chosen.held_out.x[:, 1]])
    assert len(np.unique(ages)) == 40
    assert np.isin(ages, FRAME["age"]).all()
    again = mcjax.Data.from_frame(FRAME, "count", covariates=["age"], rows=40, held_out=0.25)
    other = mcjax.Data.from_frame(
        FRAME, "count", covariates=["age"], rows=40, held_out=0.25, seed=1
    )
    assert chosen.digest == again.digest != other.digest


def test_another_file_is_encoded_alike(tmp_path):
    data = mcjax.Data.from_frame(FRAME[:40], "count", standardise=True)
    FRAME[40:].to_csv(tmp_path / "rest.csv", index=False)
    rest = data.like(tmp_path / "rest.csv")
    first = FRAME["age"][:40]
    np.testing.assert_allclose(rest.x[:, 1], (FRAME["age"][40:] - first.mean()) / first.std(ddof=0))
    FRAME[40:].assign(town="rome").to_csv(tmp_path / "rome.csv", index=False)
    with pytest.raises(mcjax.InputError, match=r"rome.csv: .*'rome' in 'town'.*another text$"):
        data.like(tmp_path / "rome.csv")


def test_another_file_without_rows_is_refused(tmp_path):
    frame = pd.DataFrame({"age": [30.0, 41.0, 25.0, 60.0], "y": [1.0, 2.0, 3.0, 1.0]})
    frame.iloc[:0].to_parquet(tmp_path / "none.parquet")
    data = mcjax.Data.from_frame(frame, target="y")
    with pytest.raises(mcjax.InputError, match="has 0 rows"):
        data.like(tmp_path / "none.parquet")


def test_what_a_frame_of_polars_has_is_enough():
    class Frame:
        def to_pandas(self):
            return FRAME

    expected = mcjax.Data.from_frame(FRAME, "count")
    assert mcjax.Data.from_frame(Frame(), "count").digest == expected.digest


WRONG = {
    "gap": (
        FRAME.assign(age=FRAME["age"].where(FRAME.index > 2)),
        {},
        "3 missing values, 3 of them",
    ),
    "infinite": (FRAME.assign(age=np.inf), {}, "60 infinite values in 'age'"),
    "constant": (FRAME.assign(one=1.0), {}, "1 constant column, such as 'one'"),
    "collinear": (FRAME.assign(twice=2 * FRAME["age"]), {}, "are collinear"),
    "texts": (FRAME.assign(name=[f"n{k}" for k in range(N)]), {}, "60 different texts"),
    "unknown": (FRAME, {"covariates": ["agee"]}, r"did you mean 'age'\?"),
    "target": (FRAME, {"covariates": ["count"]}, "names a column twice, or the target"),
    "components": (FRAME, {"components": 6}, "give a number from 1 to 5"),
    "held out": (FRAME, {"held_out": 1.0}, "give a share of rows"),
    "rows": (FRAME, {"rows": 61}, "give a number from 1 to 60"),
    "few": (FRAME, {"rows": 5}, "leaves 5 rows for 6 covariates"),
    "law": (FRAME, {"synthetic_covariates": "row"}, r"did you mean 'rows'\?"),
    "positive": (FRAME, {"positive": [2, 99]}, "positive: has 99, a label of no row"),
    "intercept": (FRAME.assign(intercept=FRAME["age"] ** 2), {}, "two covariates 'intercept'"),
    "list": ([1, 2], {}, "give a frame of pandas or polars"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_sentence(case):
    frame, choices, problem = WRONG[case]
    with pytest.raises(mcjax.InputError, match=problem):
        mcjax.Data.from_frame(frame, "count", **choices)


def test_missing_values_of_held_out_rows_are_counted_with_the_others():
    gaps = FRAME.assign(age=FRAME["age"].where(FRAME.index > 29))
    with pytest.raises(mcjax.InputError, match="have 30 missing values"):
        mcjax.Data.from_frame(gaps, "count", held_out=0.5)


def test_positive_labels_are_labels_of_the_file():
    with pytest.raises(mcjax.InputError, match=r"'yorc', a label of no row.*did you mean 'york'"):
        mcjax.Data.from_frame(FRAME, "town", covariates=["age"], positive=["ely", "yorc"])


def test_labels_of_three_texts_need_a_choice():
    with pytest.raises(
        mcjax.InputError, match=r"say which of them count as 1, for example \['york'\]"
    ):
        mcjax.Data.from_frame(FRAME, "town", covariates=["age"])
