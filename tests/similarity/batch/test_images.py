"""A batch knows the images that it has answered for: others in their place are found."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from similarity.batch import Batch, BatchFiles, finished, open_batch
from similarity.batch import run as batch_run
from similarity.batch.images import changed_images, image_digests
from similarity.config import ComparisonConfig
from similarity.errors import (
    BackendUnavailableError,
    ConfigError,
    ImageError,
    RequestRefusedError,
    TrajsimError,
    UnsupportedError,
)
from similarity.given import Pair
from similarity.images.image import Content, Image
from similarity.models.base import LanguageModel
from similarity.models.loader import load_model
from similarity.models.toy import ToyModel
from similarity.pipeline import TrajectoryScorer
from similarity.results import Score
from similarity.scorer import Progress, no_progress
from similarity.tabular.records import Record
from tests.similarity.images.made import as_file, picture
from tests.tiny_vision_models import save_tiny_vision_model

CONFIG = ComparisonConfig.build(n_trajectories=2, max_tokens=3)
FIRST, OTHER = as_file(picture(seed=1)), as_file(picture(seed=2))


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    folder = tmp_path_factory.mktemp("seeing") / "llava"
    return load_model(str(save_tiny_vision_model("llava", folder)))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BatchFiles:
    """A batch of four lines: two images, one of them twice, and one that is not there."""
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(FIRST)
    Path("b.png").write_bytes(OTHER)
    lines = [
        {"pair": [{"image": "a.png"}, "a dog"]},
        {"text1": {"image": "b.png"}, "text2": "a dog"},
        {"texts": ["a dog", {"image": "none.png"}]},
        {"pair": [{"image": "a.png"}, {"image": "b.png"}]},
    ]
    Path("in.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return BatchFiles(input=Path("in.jsonl"), output=Path("out.jsonl"))


def run(model: LanguageModel, files: BatchFiles) -> Batch:
    with open_batch(TrajectoryScorer(model, CONFIG), files, 1, options="x") as opened:
        opened.run()
    return opened


def stopped_after(lines: int, model: LanguageModel, files: BatchFiles) -> None:
    def stop(done: int) -> None:
        nonlocal lines
        lines -= done
        if not lines:
            raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        open_batch(TrajectoryScorer(model, CONFIG), files, 1, options="x") as opened,
    ):
        opened.run(stop)


def test_an_image_that_was_replaced_is_named(seeing: LanguageModel, files: BatchFiles) -> None:
    run(seeing, files)
    assert finished(files, "x") is not None
    before = files.output.read_bytes()
    Path("a.png").write_bytes(OTHER)
    assert finished(files, "x") is None
    with pytest.raises(
        ConfigError, match=r"^image 'a.png' changed after records with it .*; put back what was"
    ):
        run(seeing, files)
    # As the message says: put back, or begun anew.
    Path("a.png").write_bytes(FIRST)
    run(seeing, files)
    assert files.output.read_bytes() == before
    Path("a.png").write_bytes(OTHER)
    for path in (files.output, files.refused, files.journal):
        path.unlink()
    run(seeing, files)
    assert files.output.read_bytes() != before


def test_images_that_come_and_go_are_other_images(seeing: LanguageModel, files: BatchFiles) -> None:
    run(seeing, files)
    Path("none.png").write_bytes(FIRST)
    Path("b.png").unlink()
    with pytest.raises(
        ConfigError, match=r"^images 'b.png', 'none.png' changed after records with them"
    ):
        run(seeing, files)
    assert finished(files, "x") is None


def test_an_image_of_lines_that_are_left_may_change(
    seeing: LanguageModel, files: BatchFiles
) -> None:
    stopped_after(1, seeing, files)
    Path("b.png").write_bytes(as_file(picture(seed=3)))
    run(seeing, files)
    resumed = files.output.read_bytes()
    for path in (files.output, files.refused, files.journal):
        path.unlink()
    run(seeing, files)
    assert resumed == files.output.read_bytes()


def test_an_image_that_changes_while_the_batch_runs_stops_it(
    seeing: LanguageModel, files: BatchFiles
) -> None:
    def replaced(_: int) -> None:
        Path("a.png").write_bytes(OTHER)

    with open_batch(TrajectoryScorer(seeing, CONFIG), files, 1, options="x") as opened:
        with pytest.raises(ConfigError, match=r"image 'a.png' changed after"):
            opened.run(replaced)
        assert opened.done.lines == 3


def test_a_batch_without_images_reads_none_and_its_journal_names_none(
    seeing: LanguageModel, files: BatchFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.input.write_text('{"pair": ["a dog", "a cat"], "about": {"image": "a.png"}}\n')
    monkeypatch.setattr("similarity.batch.images.image_file_digest", None)
    run(seeing, files)
    assert finished(files, "x") is not None
    assert batch_run._IMAGES not in files.journal.read_text()


def test_digests_are_of_what_is_compared(files: BatchFiles) -> None:
    rows = [
        {"one": {"image": "a.png"}, "two": "a dog", "photo": {"image": "b.png"}},
        {"one": {"image": 5}, "two": ["x"]},
        "a.png",
    ]
    records = [Record(number, row, "") for number, row in enumerate(rows, 1)]
    found = image_digests(records, ("one", "two"))
    assert list(found) == ["a.png"]
    assert changed_images(found) == []
    Path("a.png").write_bytes(OTHER)
    assert changed_images(found) == changed_images(found, elsewhere=True) == ["a.png"]
    # Another machine may have had an image that is not here.
    Path("a.png").unlink()
    assert changed_images(found) == ["a.png"]
    assert changed_images(found, elsewhere=True) == []


def answered(files: BatchFiles) -> list[str]:
    return [json.loads(line)["custom_id"] for line in files.output.read_text().splitlines()]


def refused_lines(files: BatchFiles) -> dict[int, str]:
    lines = map(json.loads, files.refused.read_text().splitlines())
    return {line["line"]: line["reason"] for line in lines}


def test_lines_with_images_lose_no_others_where_the_model_reads_none(files: BatchFiles) -> None:
    content = Path("in.jsonl").read_text()
    Path("in.jsonl").write_text(f'{{"pair": ["a", "b"]}}\n{content}{{"texts": ["a", "b"]}}\n')
    with open_batch(TrajectoryScorer(ToyModel(), CONFIG), files, 4) as opened:
        opened.run()
    assert answered(files) == ["1", "6"]
    found = refused_lines(files)
    assert list(found) == [2, 3, 4, 5]
    assert "toy reads texts alone, and image 'b.png' was given" in found[3]
    assert "image 'none.png' cannot be read" in found[4]


class Refusing(TrajectoryScorer):
    """Finds out while it scores that it cannot take one of the images."""

    def __init__(self, error: TrajsimError, asked: str) -> None:
        super().__init__(ToyModel(), CONFIG)
        self._error, self._asked = error, asked

    def check(self, texts: Sequence[Content]) -> None:
        """Take all."""

    def score(self, pairs: Sequence[Pair], progress: Progress = no_progress) -> list[Score]:
        """Fail of what is asked for, and score words for images."""
        words = [tuple(text.name if isinstance(text, Image) else text for text in p) for p in pairs]
        if any(self._asked in pair for pair in words):
            raise self._error
        return list(super().score([(first, second) for first, second in words], progress))


@pytest.mark.parametrize(
    "error", [ImageError("no"), UnsupportedError("no"), RequestRefusedError("no")], ids=repr
)
def test_an_image_that_cannot_be_scored_loses_no_other_line(
    error: TrajsimError, files: BatchFiles
) -> None:
    with open_batch(Refusing(error, "b.png"), files, 4) as opened:
        opened.run()
    assert answered(files) == ["1"]
    assert refused_lines(files).keys() == {2, 3, 4}
    assert refused_lines(files)[2] == "no"


def test_what_concerns_all_lines_ends_a_batch(files: BatchFiles) -> None:
    with (
        pytest.raises(BackendUnavailableError),
        open_batch(Refusing(BackendUnavailableError("no"), "b.png"), files, 4) as opened,
    ):
        opened.run()
    Path("in.jsonl").write_text('{"pair": ["a", "b"]}\n')
    files.journal.unlink()
    with (
        pytest.raises(UnsupportedError),
        open_batch(Refusing(UnsupportedError("no"), "a"), files, 4) as opened,
    ):
        opened.run()
    assert files.refused.read_bytes() == b""
