"""The packages themselves evaluate here, offline; without them these tests are left out."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

import similarity
from eval.adapters.senteval import SentEvalHook
from similarity import compare
from similarity.compat.cross_encoder import TrajectoryCrossEncoder
from similarity.compat.sentence_encoder import VectorEncoder
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError, InputError, UnsupportedError
from similarity.models.toy import ToyModel
from similarity.vectors import MeaningVectors, fit
from tests.conftest import ROOT
from tests.similarity.vectors.conftest import TOY_CONFIG, cosines, sentences

pytestmark = pytest.mark.filterwarnings("ignore")

CONFIG = ComparisonConfig.build(n_trajectories=3, max_tokens=5)
PAIRS = [
    ("a red car", "the red car"),
    ("a red car", "zzz"),
    ("the sea", "the seas"),
    ("the sea", "qqq xx"),
]
SIDES = [list(side) for side in zip(*PAIRS, strict=True)]
JUDGEMENTS = [5.0, 0.0, 4.0, 1.0]
EXPECTED = [compare(ToyModel(), *pair, CONFIG).similarity for pair in PAIRS]


@pytest.fixture(scope="module")
def vectors(toy_model: ToyModel) -> MeaningVectors:
    return fit(toy_model, sentences(60), TOY_CONFIG)


@pytest.fixture(scope="module")
def mteb() -> Any:
    return pytest.importorskip("mteb", reason="needs the extra trajsim[mteb]")


@pytest.fixture
def adapter(mteb: Any) -> Any:
    return importlib.import_module("eval.adapters.mteb_models")


@pytest.fixture
def task(mteb: Any) -> Any:
    datasets = importlib.import_module("datasets")
    mocks = importlib.import_module("mteb.mocks.mock_tasks.sts")

    class LocalTask(mocks.MockSTSTask):  # type: ignore[misc,name-defined]
        min_score, max_score = 0, 5

        def load_data(self, **_: Any) -> None:
            first, second = zip(*PAIRS, strict=True)
            columns = {"sentence1": first, "sentence2": second, "score": JUDGEMENTS}
            self.dataset = datasets.DatasetDict({"test": datasets.Dataset.from_dict(columns)})
            self.data_loaded = True

    return LocalTask()


def scores_of(mteb: Any, model: Any, task: Any) -> dict[str, Any]:
    result = mteb.evaluate(model, task, cache=None, co2_tracker=False, show_progress_bar=False)
    found: dict[str, Any] = result.task_results[0].scores["test"][0]
    return found


def test_mteb_evaluates_sts(mteb: Any, adapter: Any, task: Any, toy_model: ToyModel) -> None:
    model = adapter.TrajectorySts(toy_model, CONFIG)
    scores = scores_of(mteb, model, adapter.by_own_similarity(task))
    expected = spearmanr(JUDGEMENTS, EXPECTED).statistic
    assert scores["main_score"] == scores["spearman"] == pytest.approx(expected)
    assert expected > 0.7


def test_the_trap_is_not_a_number_rather_than_a_wrong_one(
    mteb: Any, adapter: Any, task: Any, toy_model: ToyModel
) -> None:
    scores = scores_of(mteb, adapter.TrajectorySts(toy_model, CONFIG), task)
    for name in ("main_score", "cosine_spearman", "manhattan_spearman", "euclidean_pearson"):
        assert np.isnan(scores[name]), name
    assert scores["spearman"] > 0.7


def test_models_are_what_mteb_takes(mteb: Any, adapter: Any, toy_model: ToyModel) -> None:
    protocols = importlib.import_module("mteb.models")
    sts = adapter.TrajectorySts(toy_model, CONFIG)
    reranker = adapter.TrajectoryReranker(toy_model, CONFIG)
    assert isinstance(sts, protocols.EncoderProtocol)
    assert not isinstance(sts, protocols.CrossEncoderProtocol)
    assert isinstance(reranker, protocols.CrossEncoderProtocol)
    other = adapter.TrajectorySts(toy_model, ComparisonConfig.build(n_trajectories=4))
    # mteb keeps results by name and revision, so another setting must be another revision.
    assert sts.mteb_model_meta.revision != other.mteb_model_meta.revision
    assert sts.mteb_model_meta.name == "trajsim/toy"


def test_mteb_evaluates_vectors(
    mteb: Any, adapter: Any, task: Any, vectors: MeaningVectors
) -> None:
    model = adapter.VectorModel(vectors)
    protocols = importlib.import_module("mteb.models")
    assert isinstance(model, protocols.EncoderProtocol)
    assert model.mteb_model_meta.name == "trajsim/toy-vectors"
    expected = spearmanr(JUDGEMENTS, cosines(vectors, PAIRS)).statistic
    # There is no trap here: the main score is of the vectors' cosine, as mteb means it.
    scores = scores_of(mteb, model, task)
    assert scores["main_score"] == scores["cosine_spearman"] == pytest.approx(expected)
    mocks = "mteb.mocks.mock_tasks"
    for kind in ("Retrieval", "Classification"):
        module = importlib.import_module(f"{mocks}.{kind.lower()}")
        other = getattr(module, f"Mock{kind}Task")()
        assert 0 <= scores_of(mteb, model, other)["main_score"] <= 1


@pytest.mark.parametrize("given", ["STS12", ["STS12"], None], ids=type)
def test_what_is_no_task_is_refused(adapter: Any, given: Any) -> None:
    with pytest.raises(ConfigError, match="task must be one task, as mteb.get_task gives it"):
        adapter.by_own_similarity(given)


def test_a_task_without_such_a_score_is_refused(adapter: Any) -> None:
    mocks = importlib.import_module("mteb.mocks.mock_tasks.retrieval")
    with pytest.raises(UnsupportedError, match="is a task of Retrieval and has no score"):
        adapter.by_own_similarity(mocks.MockRetrievalTask())


@pytest.mark.parametrize("given", ["general", ToyModel()], ids=type)
def test_what_are_no_vectors_is_refused_at_once(adapter: Any, given: Any) -> None:
    with pytest.raises(ConfigError, match="vectors must be meaning vectors"):
        adapter.VectorModel(given)


def test_the_guide_samples_where_it_says_so(mteb: Any, adapter: Any, toy_model: ToyModel) -> None:
    """It showed a comparison by meaning vectors as one by trajectories."""
    guide = (ROOT / "docs/guides/packages.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"Sampled trajectories .*?```python\n(.*?)```", guide, re.DOTALL)
    names: dict[str, Any] = {"similarity": similarity, "model": toy_model}
    exec(example, names)
    assert names["task"].metadata.main_score == "spearman"
    config = names["scorer"].mteb_model_meta.revision
    assert config == adapter.TrajectorySts(toy_model, ComparisonConfig()).mteb_model_meta.revision
    assert config != adapter.TrajectorySts(toy_model).mteb_model_meta.revision


def test_tasks_that_need_vectors_are_refused(mteb: Any, adapter: Any, toy_model: ToyModel) -> None:
    metadata = mteb.get_task("Banking77Classification").metadata
    with pytest.raises(UnsupportedError, match="is a task of Classification and needs vectors"):
        adapter.TrajectorySts(toy_model).encode([{"text": ["a"]}], task_metadata=metadata)


def test_all_with_all(adapter: Any, toy_model: ToyModel) -> None:
    model = adapter.TrajectorySts(toy_model, CONFIG)
    rows = [adapter.TextRows.of(list(side)) for side in zip(*PAIRS, strict=True)]
    assert np.allclose(np.diag(model.similarity(*rows)), EXPECTED)


def test_mteb_reranks(mteb: Any, adapter: Any, toy_model: ToyModel) -> None:
    mocks = importlib.import_module("mteb.mocks.mock_tasks.reranking")
    model = adapter.TrajectoryReranker(toy_model, CONFIG)
    scores = scores_of(mteb, model, mocks.MockRerankingTask())
    assert 0 < scores["main_score"] <= 1


def test_sentence_transformers_evaluates(toy_model: ToyModel, tmp_path: Path) -> None:
    pytest.importorskip(
        "sentence_transformers", reason="needs the extra trajsim[sentence-transformers]"
    )
    evaluation = importlib.import_module("sentence_transformers.cross_encoder.evaluation")
    model = TrajectoryCrossEncoder(toy_model, CONFIG)
    evaluator = evaluation.CrossEncoderCorrelationEvaluator(
        [list(pair) for pair in PAIRS], JUDGEMENTS, name="made"
    )
    found = evaluator(model, output_path=str(tmp_path))
    assert found["made_spearman"] == pytest.approx(spearmanr(JUDGEMENTS, EXPECTED).statistic)
    assert model.model_card_data.metrics == [found]
    assert len(list(tmp_path.iterdir())) == 1


def test_sentence_transformers_evaluates_vectors(vectors: MeaningVectors) -> None:
    pytest.importorskip(
        "sentence_transformers", reason="needs the extra trajsim[sentence-transformers]"
    )
    evaluation = importlib.import_module("sentence_transformers.sentence_transformer.evaluation")
    model = VectorEncoder(vectors)
    evaluator = evaluation.EmbeddingSimilarityEvaluator(*SIDES, JUDGEMENTS, name="made")
    found = evaluator(model)
    expected = spearmanr(JUDGEMENTS, cosines(vectors, PAIRS)).statistic
    assert found["made_spearman_cosine"] == pytest.approx(expected)
    assert model.model_card_data.metrics == [found]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("BinaryClassificationEvaluator", (*SIDES, [1, 0, 1, 0])),
        ("TripletEvaluator", (*SIDES, SIDES[1][::-1])),
        ("InformationRetrievalEvaluator", ({"q": "a"}, {"d": "a", "e": "zz"}, {"q": {"d"}})),
        ("ParaphraseMiningEvaluator", ({"1": "a", "2": "a b", "3": "zz"}, [("1", "2")])),
        ("RerankingEvaluator", ([{"query": "a", "positive": ["a"], "negative": ["zz"]}],)),
    ],
)
def test_evaluators_that_the_guide_names(
    vectors: MeaningVectors, name: str, arguments: tuple[Any, ...]
) -> None:
    pytest.importorskip(
        "sentence_transformers", reason="needs the extra trajsim[sentence-transformers]"
    )
    evaluation = importlib.import_module("sentence_transformers.sentence_transformer.evaluation")
    found = getattr(evaluation, name)(*arguments)(VectorEncoder(vectors))
    assert all(np.isfinite(value) for value in found.values())
    guide = (ROOT / "docs/guides/packages.md").read_text(encoding="utf-8")
    assert f"`{name}`" in guide.partition("are not possible")[0]


def senteval_sts(params: dict[str, Any], batcher: Any) -> Iterator[float]:
    """What SentEval does with a task of pairs, which it has as lists of words."""
    for start in range(0, len(PAIRS), 3):
        batch = PAIRS[start : start + 3]
        first, second = (
            batcher(params, [side.split() for side in sides]) for sides in zip(*batch, strict=True)
        )
        for row in range(second.shape[0]):
            yield params["similarity"](first[row], second[row])


def test_senteval_hook(toy_model: ToyModel) -> None:
    hook = SentEvalHook(toy_model, CONFIG)
    assert list(senteval_sts({"similarity": hook.similarity}, hook.batcher)) == EXPECTED
    empty = hook.batcher({}, [[], ["."]])
    assert hook.similarity(empty[0], empty[1]) == 1
    assert hook.batcher({}, []).shape == (0, 1)


def test_a_sentence_of_senteval_may_be_a_string(toy_model: ToyModel) -> None:
    """It was read as the list of its letters."""
    hook = SentEvalHook(toy_model, CONFIG)
    rows = hook.batcher({}, [*PAIRS[0], PAIRS[0][0].split()])
    assert hook.similarity(rows[0], rows[1]) == EXPECTED[0]
    assert rows[0] == rows[2]


@pytest.mark.parametrize("batch", ["a red car", [["a", None]], [[b"a"]], [b"a"], 3], ids=repr)
def test_what_are_no_sentences_of_senteval_is_refused(toy_model: ToyModel, batch: Any) -> None:
    with pytest.raises(InputError, match="must be a"):
        SentEvalHook(toy_model, CONFIG).batcher({}, batch)


@pytest.mark.parametrize("row", [[0.5], [2], [-1], [np.nan], [np.inf], [0, 0], [], [1e300]])
def test_a_row_that_is_no_number_of_a_text_is_refused(
    toy_model: ToyModel, row: list[float]
) -> None:
    """A mean of two rows was the number of another text."""
    hook = SentEvalHook(toy_model, CONFIG)
    rows = hook.batcher({}, [["a"], ["b"]])
    with pytest.raises(InputError, match="a row must be the number of a text"):
        hook.similarity(np.array(row, np.float64), rows[0])


def test_errors_come_through(toy_model: ToyModel) -> None:
    hook = SentEvalHook(toy_model, CONFIG)
    rows = hook.batcher({}, [["a"], ["\ud800"]])
    with pytest.raises(InputError):
        hook.similarity(rows[0], rows[1])
