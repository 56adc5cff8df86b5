"""What commands say while they read a file whole: one of a million lines takes half a minute."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from similarity.cli.main import main

TEXTS = 250
Seen = dict[str, list[int]]


class Read(BaseException):
    """The file is read; what comes then is no matter of these tests."""


@contextmanager
def recorded(seen: Seen, stage: str, stop: bool) -> Iterator[Callable[[int], None]]:
    yield seen.setdefault(stage, []).append
    if stop:
        raise Read


COMMANDS: dict[str, tuple[str, ...]] = {
    "cluster": ("cluster", "texts.txt"),
    "dedupe": ("dedupe", "texts.txt"),
    "embed": ("embed", "texts.txt", "--out", "new.npy"),
    "matrix": ("matrix", "texts.txt", "--nearest", "2", "--out", "new.csv"),
    "index": ("index", "build", "texts.txt", "--out", "new"),
    "consensus": ("consensus", "texts.txt"),
    "hyponym": ("hyponym", "dog", "animal", "--corpus", "texts.txt"),
    "texts": ("calibrate", "--texts", "texts.txt"),
    "pairs": ("calibrate", "--pairs", "pairs.csv"),
    "scale": ("scales", "check", "pairs.csv"),
    "folder": ("matrix", "folder"),
}


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    texts = [f"text {number}" for number in range(TEXTS)]
    Path("texts.txt").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    rows = [f"{text},the sea,{number % 2}\n" for number, text in enumerate(texts)]
    Path("pairs.csv").write_text("text1,text2,score\n" + "".join(rows), encoding="utf-8")
    Path("folder").mkdir()
    for text in texts:
        Path("folder", f"{text}.txt").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_a_command_that_reads_a_file_whole_counts_what_it_has_read(
    arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: Seen = {}
    monkeypatch.setattr(
        "similarity.cli.reading.progress_bar", lambda stage, *_: recorded(seen, stage, True)
    )
    with pytest.raises(Read):
        CliRunner().invoke(main, [*arguments, "--model", "toy"], catch_exceptions=False)
    ((stage, counts),) = seen.items()
    assert stage in ("reading texts.txt", "reading pairs.csv", "reading folder")
    assert (len(counts), sum(counts)) == (3, TEXTS)


def test_a_batch_counts_the_lines_that_it_reads_before_the_first_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: Seen = {}
    monkeypatch.setattr(
        "similarity.cli.batch_command.progress_bar", lambda stage, *_: recorded(seen, stage, False)
    )
    for _ in ("begun", "finished"):
        seen.clear()
        arguments = ("batch", "pairs.csv", "out.csv", "--model", "toy", "--preset", "fast")
        result = CliRunner().invoke(main, [*arguments, "--chunk", "250"])
        assert result.exit_code == 0, result.output
        assert {stage: sum(counts) for stage, counts in seen.items()} == {
            "reading pairs.csv": TEXTS
        }
