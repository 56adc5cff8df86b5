"""Texts that a model server refuses: their lines are refused, and no others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from similarity.batch import BatchFiles, finished, open_batch
from similarity.config import ComparisonConfig
from similarity.errors import BackendKeyError, BackendRefusedError
from similarity.pipeline import TrajectoryScorer
from similarity.scorer import Scorer
from similarity.vectors import fit
from similarity.vectors.scorer import VectorScorer
from tests.similarity.batch.test_batch import as_lines, files_in, read
from tests.similarity.models.fake_server import Answer, FakeServer, Load, load
from tests.similarity.vectors.conftest import TOY_CONFIG, sentences

__all__ = ["load"]

UNWANTED = "unwanted"
LINES: list[dict[str, Any]] = [
    {"custom_id": "1", "pair": ["a red car", "the sea"]},
    {"custom_id": "2", "pair": ["a red car", f"an {UNWANTED} word"]},
    {"custom_id": "3", "texts": ["a red car", f"an {UNWANTED} word", "the sea"]},
    {"custom_id": "4", "texts": ["a red car", "the sea", "a blue boat"]},
    {"custom_id": "5", "pair": ["a blue boat", "the sea"]},
]
CONFIG = ComparisonConfig.build(n_trajectories=2, max_tokens=3)
Open = Callable[[Any], Scorer]
SCORERS: dict[str, Open] = {
    "sampled": lambda model: TrajectoryScorer(model, CONFIG),
    "meaning": lambda model: VectorScorer(fit(model, sentences(60), TOY_CONFIG)),
}


class Filtering(FakeServer):
    """Refuses each request with some word, as what stands before a server may, or all of them."""

    def __init__(self, status: int, *, where: str) -> None:
        super().__init__()
        self.status, self.where = status, where
        self.refuses_all = False

    async def handle(self, request: httpx.Request) -> httpx.Response:
        body = {} if request.method == "GET" else request.content.decode()
        if request.url.path == self.where == "/tokenize" and UNWANTED in body:
            return self._refusal()
        return await super().handle(request)

    async def fault(self, request: httpx.Request, body: Answer) -> httpx.Response | None:
        prompts = body["prompt"] if isinstance(body["prompt"][0], list) else [body["prompt"]]
        unwanted = any(UNWANTED in self.model.decode(tuple(prompt)) for prompt in prompts)
        if self.refuses_all or (unwanted and self.where == "/v1/completions"):
            return self._refusal()
        return await super().fault(request, body)

    def _refusal(self) -> httpx.Response:
        said = {"error": {"message": "not a word of ours"}}
        return httpx.Response(self.status, json=said)


def run(scorer: Scorer, files: BatchFiles, chunk: int, stop_after: int | None = None) -> None:
    def on_progress(_lines: int) -> None:
        if opened.done.lines == stop_after:
            raise KeyboardInterrupt

    with open_batch(scorer, files, chunk, options="x") as opened:
        opened.run(on_progress)


@pytest.mark.longer
@pytest.mark.parametrize("where", ["/tokenize", "/v1/completions"])
@pytest.mark.parametrize("status", [400, 403, 413, 422])
@pytest.mark.parametrize("kind", SCORERS)
def test_a_text_that_a_server_refuses_loses_no_other_line(
    kind: str, status: int, where: str, load: Load, tmp_path: Path
) -> None:
    """The whole batch ended, and again whenever it was taken up."""
    files = files_in(tmp_path, as_lines(LINES))
    scorer = SCORERS[kind](load(server=Filtering(status, where=where)))
    run(scorer, files, 64)
    assert [line["custom_id"] for line in read(files.output)] == ["1", "4", "5"]
    refused = read(files.refused)
    assert [line["line"] for line in refused] == [2, 3]
    for line in refused:
        assert f"{where} answered HTTP {status}: not a word of ours" in line["reason"]


@pytest.mark.longer
@pytest.mark.parametrize("chunk", [1, 2])
def test_so_it_is_where_the_batch_is_taken_up(chunk: int, load: Load, tmp_path: Path) -> None:
    files = files_in(tmp_path, as_lines(LINES))
    scorer = TrajectoryScorer(load(server=Filtering(400, where="/v1/completions")), CONFIG)
    with pytest.raises(KeyboardInterrupt):
        run(scorer, files, chunk, stop_after=2)
    run(scorer, files, chunk)
    assert finished(files, "x") is not None
    (tmp_path / "again").mkdir()
    again = files_in(tmp_path / "again", as_lines(LINES))
    run(scorer, again, chunk)
    assert files.output.read_bytes() == again.output.read_bytes()
    assert files.refused.read_bytes() == again.refused.read_bytes()


@pytest.mark.longer
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_server_that_refuses_all_ends_the_batch(status: int, load: Load, tmp_path: Path) -> None:
    files = files_in(tmp_path, as_lines(LINES))
    server = Filtering(status, where="/v1/completions")
    scorer = TrajectoryScorer(load(server=server), CONFIG)
    server.refuses_all = True
    with pytest.raises(BackendRefusedError, match=f"HTTP {status}") as raised:
        run(scorer, files, 1)
    assert isinstance(raised.value, BackendKeyError) == (status in (401, 403))
    assert (files.output.read_bytes(), files.refused.read_bytes()) == (b"", b"")
    assert len(server.bodies) == 0
    # Once that is mended, the batch goes on.
    server.refuses_all, server.where = False, ""
    run(scorer, files, 1)
    assert len(read(files.output)) == len(LINES)
