"""The index of faiss, on made-up vectors and on the toy model's."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from similarity.api import compare_many
from similarity.cli.main import main
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError, InputError
from similarity.models.toy import ToyModel
from similarity.models.vllm_server.loader import load_server
from similarity.pipeline import TrajectoryScorer
from similarity.vectors import MeaningVectors, fit, index, neighbours, save
from similarity.vectors.index import (
    Hit,
    TextIndex,
    build_index,
    check_index,
    open_index,
    rerank,
)
from similarity.vectors.neighbours import empty_neighbours
from tests.similarity.models.fake_server import FakeServer
from tests.similarity.vectors.conftest import TOY_CONFIG, sentences

TEXTS = list(dict.fromkeys(sentences(40, seed=4)))


@pytest.fixture(scope="module")
def vectors(toy_model: ToyModel) -> MeaningVectors:
    config = TOY_CONFIG
    return fit(toy_model, sentences(60), config)


@pytest.fixture
def built(vectors: MeaningVectors, tmp_path: Path) -> Path:
    build_index(tmp_path, vectors, TEXTS, [vectors.encode(TEXTS[:9]), vectors.encode(TEXTS[9:])])
    return tmp_path


def test_the_exact_index_finds_what_brute_force_finds(built: Path, vectors: MeaningVectors) -> None:
    index = open_index(built, vectors)
    cosines = vectors.encode(["the old sea"]) @ vectors.encode(TEXTS).T
    best = np.argsort(-cosines[0])[:5]
    hits = index.query("the old sea", 5)
    np.testing.assert_allclose([hit.similarity for hit in hits], cosines[0][best], atol=1e-3)
    assert [hit.text for hit in hits] == [TEXTS[hit.number] for hit in hits]
    assert index.query(TEXTS[3], 1)[0] == Hit(3, TEXTS[3], pytest.approx(1, abs=1e-3))
    assert len(index.query("the old sea", 10_000)) == len(TEXTS)


def test_an_index_that_is_built_anew_while_it_is_read_is_the_new_one(
    built: Path, vectors: MeaningVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """faiss says in an error of its own that a file is gone."""
    read, paths = index._read_lines, list[Path]()

    def read_late(path: Path) -> list[str]:
        paths.append(path)
        found = read(path)
        if len(paths) == 1:
            build_index(built, vectors, TEXTS[:5], [vectors.encode(TEXTS[:5])])
        return found

    monkeypatch.setattr(index, "_read_lines", read_late)
    assert open_index(built, vectors).query(TEXTS[3], 1)[0].text == TEXTS[3]
    assert len(paths) == 2


def test_the_graph_finds_almost_what_brute_force_finds() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(200, 32))
    rows = centres[rng.integers(0, 200, 3000)] + 0.7 * rng.normal(size=(3000, 32))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    index = _graph_of(rows)
    truth = np.argsort(-(rows[:50] @ rows.T), axis=1)[:, :10]
    found = [{hit.number for hit in index.query(str(i), 10)} for i in range(50)]
    assert np.mean([len(found[i] & set(truth[i])) / 10 for i in range(50)]) > 0.97


def _graph_of(rows: NDArray[np.float32]) -> TextIndex:
    graph = empty_neighbours("graph", rows.shape[1])
    graph.add(rows)
    encoder: Any = SimpleNamespace(encode=lambda texts: rows[[int(text) for text in texts]])
    return TextIndex([str(number) for number in range(len(rows))], encoder, graph)


def _unit_rows(count: int, width: int = 16) -> NDArray[np.float32]:
    rows = np.random.default_rng(1).normal(size=(count, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("top", [10, 30, 100, 500, 3000])
@pytest.mark.parametrize("same", [0, 1000])
def test_a_graph_gives_as_many_hits_as_are_asked_for_and_the_best_ones(
    top: int, same: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that few texts are searched by the graph, as many are.
    monkeypatch.setattr(neighbours, "TEXTS_OF_CANDIDATE", 8)
    rows = _unit_rows(3000)
    rows[len(rows) - same :] = rows[-1]
    cosines = rows @ rows[0]
    hits = _graph_of(rows).query("0", top)
    assert len({hit.number for hit in hits}) == top
    worst = np.sort(cosines)[-top] - 1e-3
    assert np.mean([cosines[hit.number] >= worst for hit in hits]) > 0.97


@pytest.mark.parametrize("kind", ["exact", "graph"])
def test_texts_that_are_equally_similar_stand_in_the_order_of_the_index(
    kind: str, vectors: MeaningVectors, tmp_path: Path
) -> None:
    """An exact index gave copies in any order, and of many not the first; a graph gave others."""
    texts = [TEXTS[i] for i in np.random.default_rng(4).integers(0, 9, 3000)]
    encoded = vectors.encode(TEXTS[:9])
    rows = encoded[[TEXTS.index(text) for text in texts]]
    build_index(tmp_path, vectors, texts, [rows[:1000], rows[1000:]], kind)
    opened = open_index(tmp_path, vectors)
    copies = [i for i, text in enumerate(texts) if text == TEXTS[3]]
    every = opened.query(TEXTS[3], len(texts))
    for top in (1, 5, len(copies), 2000, len(texts)):
        hits = opened.query(TEXTS[3], top)
        assert [hit.number for hit in hits][: len(copies)] == copies[:top]
        assert hits == sorted(hits, key=lambda hit: (-hit.similarity, hit.number))
        assert hits == every[:top]


def test_a_graph_that_finds_too_few_is_searched_as_an_exact_index(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neighbours, "TEXTS_OF_CANDIDATE", 0)
    rows = np.repeat(_unit_rows(2), [2000, 1000], axis=0)
    hits = _graph_of(rows).query("0", 2500)
    assert len({hit.number for hit in hits}) == 2500
    assert sum(hit.number < 2000 for hit in hits) == 2000


def test_a_graph_is_kept_like_any(vectors: MeaningVectors, tmp_path: Path) -> None:
    build_index(tmp_path, vectors, TEXTS, [vectors.encode(TEXTS)], "graph")
    assert open_index(tmp_path, vectors).query(TEXTS[5], 1)[0].number == 5


def test_a_graph_has_a_text_once_however_often_it_is_given(
    vectors: MeaningVectors, tmp_path: Path
) -> None:
    """Else a graph of many that are the same has no way to those beside them."""
    texts = [TEXTS[0], *TEXTS, *[TEXTS[3]] * 40]
    parts = [vectors.encode(texts[at : at + 7]) for at in range(0, len(texts), 7)]
    names = [f"t{number}" for number in range(len(texts))]
    build_index(tmp_path / "graph", vectors, texts, parts, "graph", ids=names)
    build_index(tmp_path / "exact", vectors, texts, parts, "exact", ids=names)
    graph, exact = (open_index(tmp_path / kind, vectors) for kind in ("graph", "exact"))
    assert graph.neighbours.ntotal == len(TEXTS)
    for top in (1, 5, 43, len(texts), len(texts) + 1):
        for query in ("the old sea", *TEXTS[:4]):
            found, all_found = graph.query(query, top), exact.query(query, top)
            assert [hit.id for hit in found] == [f"t{hit.number}" for hit in found]
            assert [hit.text for hit in found] == [texts[hit.number] for hit in found]
            assert len({hit.number for hit in found}) == len(found) == len(all_found)
            np.testing.assert_allclose(
                [hit.similarity for hit in found], [hit.similarity for hit in all_found], atol=1e-3
            )
    assert [hit.number for hit in graph.query(TEXTS[3], 41)] == [
        4,
        *range(len(TEXTS) + 1, len(texts)),
    ]


def test_a_graph_of_version_2_has_a_row_for_each_text(
    vectors: MeaningVectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [*TEXTS[:5], TEXTS[0]]
    monkeypatch.setattr(index, "FORMAT", 2)
    monkeypatch.setattr(index, "_first_of_each", lambda texts, encoded: encoded)
    build_index(tmp_path, vectors, texts, [vectors.encode(texts)], "graph")
    assert {hit.number for hit in open_index(tmp_path, vectors).query(TEXTS[0], 2)} == {0, 5}


def test_a_text_may_have_line_breaks(vectors: MeaningVectors, tmp_path: Path) -> None:
    texts = ["a red car", "the sea\nat night"]
    build_index(tmp_path, vectors, texts, [vectors.encode(texts)])
    assert open_index(tmp_path, vectors).query(texts[1], 1)[0].text == texts[1]


def test_reranking_orders_by_trajectories(
    built: Path, vectors: MeaningVectors, toy_model: ToyModel
) -> None:
    hits = open_index(built, vectors).query("the old sea", 4)
    config = ComparisonConfig.build(n_trajectories=3, max_tokens=4)
    again = rerank(TrajectoryScorer(toy_model, config), "the old sea", hits)
    expected = compare_many(toy_model, "the old sea", [hit.text for hit in again], config)
    scores = [hit.similarity for hit in again]
    assert scores == [comparison.similarity for comparison in expected]
    assert scores == sorted(scores, reverse=True)
    assert {hit.number for hit in again} == {hit.number for hit in hits}


def test_what_cannot_be_indexed_or_found(built: Path, vectors: MeaningVectors) -> None:
    with pytest.raises(InputError, match="at least one text"):
        build_index(built, vectors, [], [])
    with pytest.raises(ConfigError, match="exact, graph"):
        build_index(built, vectors, TEXTS, [vectors.encode(TEXTS)], "tree")
    with pytest.raises(ConfigError, match="top must be at least 1"):
        open_index(built, vectors).query("a", 0)
    of_numpy: Any = np.int64(2)
    assert len(open_index(built, vectors).query("a", of_numpy)) == 2
    with pytest.raises(ConfigError, match="built with vectors .* give the --model and --vectors"):
        open_index(built, vectors.only("profile"))


def test_the_command_refuses_another_model_before_general_text_is_read(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: Any) -> None:
        raise AssertionError("general text was read for vectors that are of no use")

    monkeypatch.setattr("similarity.cli.index_commands.open_vectors", read)
    found = run("index", "query", str(built), "a car", "--model", "embedded")
    assert found.exit_code == 2
    assert "built with model toy" in found.stderr
    assert "give that model by --model, or build it anew" in found.stderr


def test_an_index_of_a_served_model_asks_for_an_address(
    vectors: MeaningVectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asked for the name that the model has at its server, which is no model here."""
    served = load_server("http://a", transport=httpx.MockTransport(FakeServer(name="emb").handle))
    monkeypatch.setattr(vectors.model, "info", served.info)
    served.close()
    build_index(tmp_path, vectors, TEXTS, [vectors.encode(TEXTS)])
    with pytest.raises(ConfigError) as raised:
        check_index(tmp_path, ToyModel().info)
    said = str(raised.value)
    assert f"built with model emb at {served.info.revision} on a server, and this is" in said
    assert "; give a server of it, as http://HOST:8000#emb, by --model, or build it anew" in said


def test_the_command_refuses_what_is_no_index_before_a_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("similarity.cli.index_commands.open_model", load)
    for arguments in ((str(tmp_path), "a car"), (str(tmp_path), " ")):
        assert run("index", "query", *arguments).exit_code == 2


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, arguments)


def test_the_commands(vectors: MeaningVectors, tmp_path: Path) -> None:
    save(vectors, tmp_path / "vectors")
    lines = "".join(json.dumps({"text": text, "id": 1}) + "\n" for text in TEXTS)
    (tmp_path / "texts.jsonl").write_text(lines, encoding="utf-8")
    options = ("--model", "toy", "--vectors", str(tmp_path / "vectors"))
    folder = str(tmp_path / "index")
    built = run("index", "build", str(tmp_path / "texts.jsonl"), "--out", folder, *options)
    assert built.exit_code == 0, built.output
    found = json.loads(run("index", "query", folder, TEXTS[7], "--json", *options).stdout)
    assert found["hits"][0]["number"] == 7
    assert len(found["hits"]) == 10
    compared = ("--rerank", "6", "--top", "3", "-n", "2", "-m", "3")
    again = run("index", "query", folder, TEXTS[7], *compared, *options)
    assert again.exit_code == 0, again.output
    # The names of the columns, three texts, and the scale.
    assert len(again.stdout.splitlines()) == 5
    assert again.stdout.splitlines()[-1].strip() == "uncalibrated"
    wrong = run("index", "query", folder, "a", "--rerank", "-1", *options)
    assert wrong.exit_code == 2
