import json
import math
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from eval import plots
from eval.datasets import BENCHMARKS
from eval.mteb_results import MTEB_TASKS, task_result
from eval.plots import Points, rank_fit
from eval.published import published
from eval.report import report as as_markdown
from eval.report_cli import report
from eval.runs import open_folders
from eval.scores import NAME
from eval.slugs import slugs
from similarity.digests import digest
from similarity.errors import ConfigError, InputError, MissingDependencyError
from tests.eval.made_runs import METHODS, SEVEN, make_ablation, make_run


def markdown(*folders: Path) -> str:
    return as_markdown(open_folders(folders)[0], published(), {})


def row(text: str, label: str) -> list[str]:
    (found,) = (line for line in text.splitlines() if line.startswith(f"| {label} |"))
    return [cell.strip() for cell in found.strip("|").split("|")][1:]


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(report, [str(argument) for argument in arguments])


def test_published_rows_add_up_to_their_averages() -> None:
    table = published()
    assert tuple(table.columns) == SEVEN
    assert len(table.rows) == 23
    for found in table.rows:
        assert found.source in table.sources
        if found.spearman:
            assert tuple(found.spearman) == SEVEN
            mean = np.mean(list(found.spearman.values()))
            assert mean == pytest.approx(found.average, abs=0.12), found


def test_the_shifted_row_is_under_its_own_headers_and_says_so() -> None:
    (simcse,) = (found for found in published().rows if found.method.startswith("SimCSE"))
    assert (simcse.spearman["stsb-test"], simcse.spearman["sts12-test"]) == (76.9, 68.4)
    assert "shifted headers" in simcse.note


def test_a_run_stands_beside_the_published_rows(tmp_path: Path) -> None:
    text = markdown(make_run(tmp_path / "mine"))
    first = text[: text.index("## The same")]
    assert row(first, "method") == [*published().columns.values(), "average"]
    mine = row(first, "**trajectories**")
    assert mine[0] == "50.0 [48.0, 52.0]"
    assert mine[-1] == "53.0 [52.0, 54.0]"
    assert row(first, "trajectories, GPT-2 (Liu 2024)")[0] == "55.2"
    assert row(first, "MetaEOL, LLaMA2-7B (Fu 2025)") == ["–"] * 7 + ["76.0"]
    assert "shifted headers" in text
    assert "https://arxiv.org/abs/2310.18348" in text


def test_settings_are_reported(tmp_path: Path) -> None:
    text = markdown(make_run(tmp_path / "mine"))
    for name, value in (("n", "5"), ("m", "4"), ("distance", "l1"), ("full stop", "yes")):
        assert row(text, name) == [value]
    settings = text[: text.index("## Spearman")]
    for task in SEVEN:
        assert row(settings, task) == [f"60 pairs, {digest(task.encode())}"]
    assert "With it, the pairs, the unlabelled texts and the number of resamples equal" in text


def test_the_unlabelled_texts_are_reported(tmp_path: Path) -> None:
    """A fit to 6 texts, as others stood in the pairs, was not to be seen."""
    fitted = {"origin": "corpus.txt", "texts": 6, "left_out": 34, "sha256": "7cde"}
    methods = {"trajectories": {}, "word overlap": {}}
    mine = make_run(tmp_path / "mine", unlabelled=fitted)
    of_domain = make_run(tmp_path / "domain", unlabelled=fitted)
    content = json.loads((of_domain / "results.json").read_text())
    name = "meaning, of the domain"
    content["methods"] = methods | {name: {}}
    for task in content["tasks"].values():
        task["methods"][name] = task["methods"]["word overlap"]
    content["averages"][name] = content["averages"]["word overlap"]
    (of_domain / "results.json").write_text(json.dumps(content))
    text = markdown(mine, of_domain)
    assert row(text, "unlabelled texts") == ["–", "6 of corpus.txt, 7cde"]
    assert text.count("**Warning:** domain: 34 of the 40 different texts of corpus.txt") == 1
    assert text.count("**Warning:** domain: 6 different texts hardly show") == 1
    assert "**Warning:** mine" not in text
    assert "unlabelled texts |" not in markdown(mine)


def test_a_run_without_trajectories_beside_one_with_them(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", methods={"word overlap": {"words": "x"}})
    text = markdown(first, make_run(tmp_path / "b"))
    assert row(text, "n") == ["–", "5"]
    assert row(text, "dtype") == ["float64", "float64"]
    assert text.index("| m |") < text.index("| distance |") < text.index("| seed |")


def test_each_way_of_summing_up_is_labelled(tmp_path: Path) -> None:
    text = markdown(make_run(tmp_path / "mine"))
    mean, weighted = text[text.index("summed up otherwise") : text.index("## Subsets")].split(
        "(`wmean`)"
    )
    assert row(mean, "**trajectories**")[:2] == ["49.0 [47.0, 51.0]", "50.0 [48.0, 52.0]"]
    assert row(mean, "**trajectories**")[-1] == "51.5"
    assert row(weighted, "**trajectories**")[0] == "48.0 [46.0, 50.0]"
    assert re.search(r"\| sts12-test \| news \| 30 \| 56.0 \| 66.0 \|", text)
    assert re.search(r"\| stsb-test \| Pearson, all \| 60 \| 53.0 \| – \|", text)


def test_runs_stand_side_by_side(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a" / "run")
    second = make_run(tmp_path / "b" / "run", ("stsb-dev", "stsb-test"))
    text = markdown(first, second)
    assert row(text[: text.index("## The same")], f"**{second}: trajectories**") == [
        *("51.0 [49.0, 53.0]", *["–"] * 6, "50.0 [48.0, 52.0]", "–")
    ]
    third = make_run(tmp_path / "c", ("stsb-test",))
    assert "**c: word overlap**" in markdown(first, third)


def changed(folder: Path, task: str, **values: object) -> Path:
    content = json.loads((folder / "results.json").read_text())
    content["tasks"][task].update(values)
    (folder / "results.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("known", [True, False])
def test_a_part_of_a_set_is_marked_and_has_nothing_published_beside_it(
    known: bool, tmp_path: Path
) -> None:
    """It stood beside figures of the full sets without a word."""
    made = make_run(tmp_path / "mine")
    official = BENCHMARKS["sts12-test"].pairs
    changed(made, "sts12-test", whole=official)
    if not known:
        # As in a run of an earlier release.
        content = json.loads((made / "results.json").read_text())
        for task in SEVEN:
            del content["tasks"][task]["whole"]
            if task != "sts12-test":
                content["tasks"][task]["pairs"] = BENCHMARKS[task].pairs
        (made / "results.json").write_text(json.dumps(content))
    text = markdown(made)
    settings = text[: text.index("## Spearman")]
    assert row(settings, "sts12-test")[0].startswith(f"60 of {official} pairs, ")
    first = text[: text.index("## The same")]
    head = row(first, "method")
    assert head[1:3] == [f"STS12, 60 of {official}", "STS13"]
    assert head[-1] == "average of parts"
    assert row(first, "**trajectories**")[1] == "51.0 [49.0, 53.0]"
    gpt = row(first, "trajectories, GPT-2 (Liu 2024)")
    assert (gpt[1], gpt[-1]) == ("–", "–")
    assert "–" not in (gpt[0], gpt[2])
    assert "is of a part of a set (`--limit`). No published figure stands in it" in first
    assert f"| mine | sts12-test, 60 of {official} | trajectories | word overlap |" in text
    run = open_folders([made])[0][0]
    names = {task: task_result(run, "trajectories", task)["task_name"] for task in SEVEN[:2]}
    assert names == {"stsb-test": "STSBenchmark", "sts12-test": "STS12-part"}


def test_with_all_sets_in_part_nothing_published_is_there(tmp_path: Path) -> None:
    made = make_run(tmp_path / "mine")
    for task in SEVEN:
        changed(made, task, whole=100)
    text = markdown(made)
    assert "GPT-2" not in text
    assert "## Sources" not in text
    assert "Published figures are of the whole test sets; there is none of them here" in text
    assert "(`--limit`)" not in markdown(make_run(tmp_path / "other"))


def test_runs_on_different_pairs_have_columns_of_their_own(tmp_path: Path) -> None:
    """Two files of one name stood in one column."""
    first, second = (make_run(tmp_path / name, ("own.csv", "b.csv")) for name in "xy")
    changed(second, "own.csv", sha256="0123456789abcdef", pairs=20)
    result = invoke(first, second, "--no-figures", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    said = (
        "the runs have different pairs of own.csv (x 60, y 20 of 60): their figures stand in "
        "columns of their own, and cannot be compared"
    )
    assert f"warning: {said}\n" in result.stderr
    text = (tmp_path / "out" / "report.md").read_text()
    assert f"**Warning:** {said}." in text
    assert row(text[: text.index("## Spearman")], "own.csv") == [
        f"60 pairs, {digest(b'own.csv')}",
        "20 of 60 pairs, 0123456789abcdef",
    ]
    first_table = text[: text.index("## Behind")]
    assert row(first_table, "method") == [
        f"own.csv ({digest(b'own.csv')[:8]})",
        "own.csv, 20 of 60 (01234567)",
        "b.csv",
    ]
    assert row(first_table, "**x: trajectories**") == [
        "50.0 [48.0, 52.0]",
        "–",
        "51.0 [49.0, 53.0]",
    ]
    assert row(first_table, "**y: trajectories**") == [
        "–",
        "50.0 [48.0, 52.0]",
        "51.0 [49.0, 53.0]",
    ]
    same = invoke(first, make_run(tmp_path / "z", ("own.csv",)), "--no-figures")
    assert "warning" not in same.stderr


def test_averages_over_different_pairs_have_columns_of_their_own(tmp_path: Path) -> None:
    first, second = (make_run(tmp_path / name) for name in "xy")
    changed(second, "sts12-test", sha256="0123456789abcdef")
    text = markdown(first, second)
    head = row(text[: text.index("## The same")], "method")
    assert [name[:9] for name in head[-2:]] == ["average ("] * 2
    assert row(text[: text.index("## The same")], "**x: trajectories**")[-2:] == [
        "53.0 [52.0, 54.0]",
        "–",
    ]


def test_what_is_left_out_and_over_seeds(tmp_path: Path) -> None:
    seeds = {"stsb-test": {"values": [60.0, 62.0], "mean": 61.0, "standard_deviation": 1.4142}}
    text = markdown(make_run(tmp_path / "mine", seeds=seeds))
    assert "| mine | last token | this model has \\| no hidden states |" in text
    assert "| mine | stsb-test | 2 | 61.0 | 1.41 |" in text
    assert "## Over seeds" not in markdown(make_run(tmp_path / "other", left_out={}))
    assert "## Left out" not in markdown(tmp_path / "other")


def test_methods_are_held_against_the_best_of_their_task(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", ("lab.csv",))
    text = markdown(made)
    assert "| run | lab.csv | trajectories | word overlap | -10.0 [-12.0, -8.0] |" in text
    content = json.loads((made / "results.json").read_text())
    del content["tasks"]["lab.csv"]["behind"]
    (made / "results.json").write_text(json.dumps(content))
    assert "Behind" not in markdown(made)


def test_methods_are_held_against_the_best_on_average(tmp_path: Path) -> None:
    text = markdown(make_run(tmp_path / "run"))
    assert "| run | average | trajectories | word overlap | -9.0 [" in text


def test_tasks_of_ones_own_have_nothing_beside_them(tmp_path: Path) -> None:
    text = markdown(make_run(tmp_path / "mine", ("own.tsv",), resamples=0))
    assert row(text, "**trajectories**") == ["50.0"]
    assert "Without intervals" in text
    assert "GPT-2" not in text
    assert "Sources" not in text
    assert "summed up otherwise" not in text


def test_rank_fit_sees_the_order_of_scores_alone() -> None:
    generator = np.random.Generator(np.random.Philox(1))
    scores = np.repeat(generator.normal(size=40), 2)
    judgements = scores**3 + generator.normal(size=80)
    fitted = rank_fit(Points(scores, judgements), scores)
    assert np.allclose(rank_fit(Points(np.exp(scores), judgements), np.exp(scores)), fitted)
    order = np.argsort(scores)
    assert (np.diff(fitted[order]) >= 0).all()
    assert fitted.mean() == pytest.approx(judgements.mean())
    # Nothing that rises fits better: a step between any two blocks costs more.
    assert ((fitted - judgements) ** 2).sum() < ((scores**3 - judgements) ** 2).sum()
    rising = rank_fit(Points(scores, scores), scores)
    assert np.allclose(rising, scores)


def test_band_holds_the_fit_and_is_repeatable() -> None:
    generator = np.random.Generator(np.random.Philox(2))
    scores = generator.normal(size=300)
    points = Points(scores, scores + generator.normal(size=300))
    at = np.quantile(scores, [0.2, 0.5, 0.8])
    low, high = plots.band(points, at)
    assert (low < high).all()
    assert (np.abs(rank_fit(points, at) - (low + high) / 2) < high - low).all()
    assert np.array_equal(plots.band(points, at)[0], low)


def test_command_writes_report_figures_and_mteb(tmp_path: Path) -> None:
    first, ablation = make_run(tmp_path / "mine", SEVEN[:2]), make_ablation(tmp_path / "abl")
    result = invoke(first, ablation)
    assert result.exit_code == 0, result.output
    out = first / "report"
    text = (out / "report.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^]]*\]\((.*)\)", text)
    assert pictures == [
        "mine-agreement.png",
        "mine-judgement.png",
        "mine-calibration.png",
        "abl-ablation.png",
    ]
    before = {name: (out / name).read_bytes() for name in pictures}
    assert all(content.startswith(b"\x89PNG") for content in before.values())
    assert invoke(first, ablation).exit_code == 0
    assert {name: (out / name).read_bytes() for name in pictures} == before
    written = sorted(path.relative_to(out).as_posix() for path in (out / "mteb").rglob("*.json"))
    assert len(written) == 4
    assert written[0] == "mteb/mine/trajectories/sts12-test.json"
    constant = out / "mteb/mine/word-overlap/sts12-test.json"
    assert constant.read_text(encoding="utf-8").count(": NaN,") == 3


def test_each_run_method_and_task_has_its_own_files(tmp_path: Path) -> None:
    """Names that differ in what is awkward in a file's were one file, and the last was kept."""
    tasks = ("a/x.csv", "a-x.csv", "A-X.csv", "@@")
    folders = [tmp_path / name for name in ("d/r", "e/r", slugs([f"{tmp_path}/d/r"])[0])]
    runs = [make_run(folder, tasks) for folder in folders]
    ablations = [make_ablation(tmp_path / name) for name in ("a b", "a-b")]
    assert invoke(*runs, *ablations, "--out", tmp_path / "out").exit_code == 0
    found = [
        (path.parts[-3], json.loads(path.read_text())["task_name"])
        for path in (tmp_path / "out" / "mteb").glob("*/trajectories/*.json")
    ]
    assert Counter(found) == {(run, task): 1 for run, _ in found for task in tasks}
    assert len({run for run, _ in found}) == len(runs)
    assert len(list((tmp_path / "out").glob("*-ablation.png"))) == len(ablations)


@given(st.lists(st.text("aA/-2"), unique=True))
def test_no_two_names_are_one_name_of_a_file(names: list[str]) -> None:
    found = slugs(names)
    assert len({one.casefold() for one in found}) == len(names)
    assert all(found)


@pytest.mark.parametrize(
    "name", ["report.md", "mine-agreement.png", "mteb/mine/trajectories/sts12-test.json"]
)
def test_files_of_no_report_are_not_replaced(name: str, tmp_path: Path) -> None:
    """They were, without a word."""
    run, foreign = make_run(tmp_path / "mine", SEVEN[:2]), tmp_path / "out" / name
    foreign.parent.mkdir(parents=True)
    foreign.write_text("mine")
    (tmp_path / "out" / "other.md").write_text("mine too")
    before = sorted((tmp_path / "out").rglob("*"))
    refused = invoke(run, "--out", tmp_path / "out")
    assert isinstance(refused.exception, InputError)
    assert f"{foreign} is there and is of no report; move it away" in str(refused.exception)
    assert sorted((tmp_path / "out").rglob("*")) == before
    assert foreign.read_text() == "mine"
    foreign.unlink()
    for _ in range(2):
        assert invoke(run, "--out", tmp_path / "out").exit_code == 0
    assert (tmp_path / "out" / "other.md").read_text() == "mine too"


def test_without_figures_no_matplotlib_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(tmp_path / "mine", SEVEN[:1])
    monkeypatch.setitem(sys.modules, "eval.plots", None)
    assert isinstance(invoke(folder).exception, MissingDependencyError)
    result = invoke(folder, "--no-figures", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "## Figures" not in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")


def test_bad_folders_are_clear_errors(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "results.json").write_text("[")
    old = make_run(tmp_path / "old", SEVEN[:1], schema=0)
    for folder, message in (
        (tmp_path / "empty", "one that is not finished"),
        (tmp_path / "damaged", "is damaged: it is not whole; give the command of the run again"),
        (old, "has schema 0, and this version reads 1"),
    ):
        with pytest.raises(InputError, match=message):
            open_folders([folder])
    with pytest.raises(ConfigError, match="given twice"):
        open_folders([old, tmp_path / "empty" / ".." / "old"])


def mteb_task_result(content: dict[str, Any], path: Path) -> Any:
    mteb = pytest.importorskip("mteb", reason="needs the extra trajsim[mteb]")
    path.write_text(json.dumps(content), encoding="utf-8")
    return mteb.TaskResult.from_disk(path, load_historic_data=False)


@pytest.mark.filterwarnings("ignore")
def test_mteb_reads_its_schema(tmp_path: Path) -> None:
    tasks = ("stsb-test", "stsb-dev", "sts14-test", "sick-r-test", "own.tsv")
    run = open_folders([make_run(tmp_path / "mine", tasks)])[0][0]
    for method in METHODS:
        for number, task in enumerate(tasks):
            content = task_result(run, method, task)
            found = mteb_task_result(content, tmp_path / "result.json")
            (scores,) = found.scores[MTEB_TASKS.get(task, (task, "test"))[1]]
            # Without Pearson's, all scores are equal: it was 0 here, which is a result.
            value = math.nan if METHODS.index(method) else (50.0 + number) / 100
            assert found.get_score() == pytest.approx(value, nan_ok=True)
            assert scores["main_score"] == pytest.approx(value, nan_ok=True)
            assert scores["pearson"] == pytest.approx(value + 0.03, nan_ok=True)
            assert found.dataset_revision == digest(task.encode())


@pytest.mark.filterwarnings("ignore")
def test_names_and_splits_are_those_of_mteb() -> None:
    mteb = pytest.importorskip("mteb", reason="needs the extra trajsim[mteb]")
    for task, (name, split) in MTEB_TASKS.items():
        if not task.startswith("sick-r"):
            found = mteb.get_task(name)
            assert found.metadata.main_score == "cosine_spearman"
            assert split in ("train", "validation", "test")


@pytest.mark.parametrize("more", [(), ("--no-figures",)])
def test_damaged_scores_are_in_no_report(more: tuple[str, ...], tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", ("own.tsv",))
    scores = folder / NAME
    content = bytearray(scores.read_bytes())
    content[-1] ^= 1
    scores.write_bytes(content)
    result = invoke(folder, *more)
    assert isinstance(result.exception, InputError)
    assert f"{scores} is damaged: " in str(result.exception)
    assert not (folder / "report").exists()
