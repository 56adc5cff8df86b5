import json
from copy import deepcopy

import pytest
from click.testing import CliRunner

from similarity.models.revision import revision
from training.agreement import BEGIN, END, insert, main, table
from training.card import TEMPLATE

SPEARMAN = {"all": {"value": 63.27, "low": 60.1, "high": 66.2}}
LOWER = {"all": {"value": -1.04, "low": None, "high": None}}


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "README.md").write_text(f"before\n\n{BEGIN}\n\nNone.\n\n{END}\n\nafter\n")
    return folder


@pytest.fixture
def results(model):
    return {
        "fingerprint": {"model": {"revision": revision(model, None)}},
        "methods": {"trajectories": {}, "words": {}},
        "tasks": {
            "stsb-test": {
                "methods": {"trajectories": {"spearman": SPEARMAN}, "words": {"spearman": LOWER}}
            },
            "mine.tsv": {
                "methods": {"trajectories": {"spearman": LOWER}, "words": {"spearman": SPEARMAN}}
            },
        },
        "averages": {
            "trajectories": {"spearman": 31.1, "low": 30.0, "high": 32.4},
            "words": {"spearman": 31.1, "low": None, "high": None},
        },
    }


def test_the_table_has_all_methods_and_tasks(results):
    assert table(results) == (
        "| method | stsb | mine.tsv | average |\n"
        "|---|---|---|---|\n"
        "| trajectories | 63.3 | -1.0 | 31.1 [30.0, 32.4] |\n"
        "| words | -1.0 | 63.3 | 31.1 |"
    )
    assert "average" not in table({**results, "averages": {}})


def test_it_takes_the_place_of_the_one_before(model, results):
    for value in (63.3, 70.0):
        changed = deepcopy(results)
        changed["tasks"]["stsb-test"]["methods"]["words"]["spearman"]["all"]["value"] = value
        insert(changed, model)
    card = (model / "README.md").read_text()
    assert card.startswith("before\n")
    assert card.endswith("\n\nafter\n")
    assert "None." not in card
    assert card.count("| words |") == 1
    assert "| words | 70.0 |" in card


def test_figures_of_another_model_are_refused(model, results):
    results["fingerprint"]["model"]["revision"] = "sha256:0"
    card = (model / "README.md").read_text()
    with pytest.raises(ValueError, match="evaluate it anew"):
        insert(results, model)
    path = model.parent / "results.json"
    path.write_text(json.dumps(results))
    refused = CliRunner().invoke(main, ["--results", str(path), "--model", str(model)])
    assert refused.exit_code == 1
    assert "evaluate it anew" in refused.output
    assert (model / "README.md").read_text() == card


@pytest.mark.parametrize("text", ["", '{"fingerprint": ', "[]", "\xff"])
def test_damaged_results_are_named_as_that(text, model):
    path = model.parent / "results.json"
    path.write_bytes(text.encode("latin-1"))
    refused = CliRunner().invoke(main, ["--results", str(path), "--model", str(model)])
    assert refused.exit_code == 1
    assert refused.output == (
        f"Error: {path} is damaged, or no results.json: give the command of the run again, which "
        "writes it anew\n"
    )


def test_a_card_without_a_place_is_refused(model, results):
    (model / "README.md").write_text("a card")
    with pytest.raises(ValueError, match="no place for the table"):
        insert(results, model)


def test_the_template_has_a_place():
    text = TEMPLATE.read_text()
    assert text.index(BEGIN) < text.index(END)
