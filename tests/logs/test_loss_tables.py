"""Tables of losses are read, or refused in one sentence with line, column and remedy."""

import json

import pytest

import mcjax
from mcjax.errors import InputError
from mcjax.logs.table import BUILTIN

HEAD = "generation,workflow,seed,loss\n"
RECORDS = [{"iteration": t, "model": "replace", "loss": 1 + t / 10, "lr": 0.1} for t in (1, 2)]


def read(tmp_path, text):
    path = tmp_path / "losses.csv"
    path.write_text(text, encoding="utf-8")
    return mcjax.read_losses(path)


@pytest.mark.parametrize(
    "text",
    [
        "generation,workflow,loss\n1,replace,1.1\n2,replace,1.2\n",
        "\ufeffloss;workflow;generation;note\r\n1.1;replace;1;x\r\n\r\n1.2; replace ;2.0;\r\n",
        "iteration\tmodel\tloss\tseed\n1\treplace\t1.1\t\n2\treplace\t1.2\t\n",
        "Generation,WORKFLOW,Loss\n1,replace,1.1\n2,replace,1.2\n",
        "generation;workflow;loss\n1;replace;1,1\n2;replace;1,2E0\n",
        json.dumps(RECORDS),
        "\n".join(map(json.dumps, RECORDS)),
    ],
)
def test_formats_are_told_by_content(tmp_path, text):
    [(name, (generations, values))] = read(tmp_path, text).rows.items()
    assert (name, generations.tolist(), values.tolist()) == ("replace", [1, 2], [1.1, 1.2])


def test_decimal_commas_are_told(tmp_path):
    losses = read(tmp_path, "generation;workflow;loss\n1;replace;1,1\n2;replace;1.2\n")
    assert losses.described() == "2 rows of replace, generations 1 to 2, 1 with a decimal comma"


def test_python_and_file_give_one_table():
    rows = mcjax.read_losses(BUILTIN).rows
    t, y = rows["replace"]
    losses = mcjax.Losses(t.tolist(), ["replace"] * len(t), y.tolist())
    assert all((a == b).all() for a, b in zip(losses.rows["replace"], rows["replace"], strict=True))
    assert "13 rows, generations 3 to 20" in repr(losses)


WRONG = {
    "": "column 'generation': is missing",
    HEAD: "has no rows",
    "generation,workflow,los\n1,replace,2\n": "column 'loss': is missing (did you mean 'los'?)",
    "generation,iteration,workflow,loss\n": "column 'generation': is given twice",
    HEAD + "1,replace,0\n": "line 2: has 3 cells; give 4",
    HEAD + "1,replace,0,2\n1.5,replace,0,2\n": "line 3, generation: is '1.5'; give a whole number",
    HEAD + "-1,replace,0,2\n": "line 2, generation: is -1; give a number from 0 to 100,000",
    HEAD + "1000000,replace,0,2\n": "line 2, generation: is 1000000",
    HEAD + "1,,0,2\n": "line 2, workflow: is ''; give a name",
    HEAD
    + "1,replace,0,nan\n": "line 2, loss: is 'nan'; give a finite number, or leave the row out",
    HEAD + "1,replace,0,1e101\n": "line 2, loss: is '1e101'",
    HEAD + "1,replace,0,\n": "line 2, loss: is ''",
    HEAD
    + "1,replace,0,2\n1,replace,0,3\n": "line 3: repeats workflow, generation and seed of line 2",
    HEAD + '1,"replace,0,2\n': "is no CSV",
    "[1]": "record 1: is not a record",
    "[{]": "is not a list of JSON records",
    '{"generation": 1}': "line 1: key 'workflow': is missing",
    '[{"generation": true, "workflow": "a", "loss": 1}]': "record 1, generation: is True",
    '[{"generation": 1, "workflow": 3, "loss": 1}]': "record 1, workflow: is 3",
    '[{"generation": 1, "workflow": "a", "loss": null}]': "loss: is null; give a finite number",
    '[{"generation": null, "workflow": "a", "loss": 1}]': "generation: is null; give a whole",
    "generation,workflow,loss\n1,a,1,5\n": "give 3, as the header, and no decimal commas",
    "Loss;generation;loss;model\n": "column 'loss': is given twice, as Loss and loss",
    '[{"generation": 1, "workflow": "a", "loss": 1e999}]': "record 1, loss: is inf",
}


@pytest.mark.parametrize(("text", "words"), WRONG.items())
def test_wrong_tables_are_refused(tmp_path, text, words):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert words in str(caught.value)
    assert "losses.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


LOSSES = (1.1095, 1.1739, 1.2793, 1.2779, 1.59, 1.6572, 1.6837, 1.8387)


def test_a_table_that_was_appended_to_itself_is_refused(tmp_path):
    lines = [f"{t},replace,{loss}\n" for t, loss in enumerate(LOSSES, 1)]
    head = "generation,workflow,loss\n"
    with pytest.raises(InputError, match="line 10: repeats line 2, and every other row"):
        read(tmp_path, head + "".join(lines * 2))
    partly = read(tmp_path, head + "".join(lines + lines[:6]))
    judged = mcjax.judge_losses(partly)
    assert judged.verdict == "inconclusive"
    assert judged.workflows["replace"].equal
    assert len(read(tmp_path, HEAD + "1,replace,0,2\n1,replace,1,2\n").rows["replace"][0]) == 2


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(InputError, match="loss: has 1 entries; give 2"):
        mcjax.Losses([1, 2], ["a", "a"], [1.0])
    with pytest.raises(InputError, match="row 1, loss: is nan"):
        mcjax.Losses([1, 2], ["a", "a"], [1.0, float("nan")])
