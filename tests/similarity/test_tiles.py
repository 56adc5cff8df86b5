import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from similarity.config import ComparisonConfig
from similarity.errors import ConfigError, InputError
from similarity.given import Pair
from similarity.models.base import OnProgress, ignore_progress
from similarity.models.toy import ToyModel
from similarity.pipeline import TrajectoryScorer
from similarity.results import Score, SimilarityMatrix
from similarity.scorer import Progress, Scorer, no_progress
from similarity.storage.parts import parts_folder
from similarity.tabular.writing import stream_rows
from similarity.tiles import PAIR_COLUMNS, Grid, Selection, stream_matrix, stream_pairs

TEXTS = [f"{word} {i}" for i in range(4) for word in ("a red car", "the sea", "it rains")]
OTHERS = ["a red cab", "the sea", "snow", "a car", "rain"]
CONFIG = ComparisonConfig.build(n_trajectories=2, max_tokens=3)


class Killed(BaseException):
    pass


class Counted(Scorer):
    """Counts what is compared, never more than a tile at once, and is killed on demand."""

    def __init__(self, seed: int = 0, largest: int = 10**9) -> None:
        config = ComparisonConfig.build(n_trajectories=2, max_tokens=3, seed=seed)
        self._scorer = TrajectoryScorer(ToyModel(), config)
        self.fingerprint = self._scorer.fingerprint
        self.calls = self.judged = 0
        self.left = 10**9
        self._largest = largest

    def check(self, texts: Sequence[str]) -> None:
        self._scorer.check(texts)

    def score(self, pairs: Sequence[Pair], progress: Progress = no_progress) -> Sequence[Score]:
        self.judged += len(pairs)
        return self._scorer.score(pairs, progress)

    def explain(self, pairs: Any, top: int, progress: Progress = no_progress) -> Any:
        raise NotImplementedError

    def matrix(
        self,
        rows: Sequence[str],
        columns: Sequence[str] | None = None,
        progress: Progress = no_progress,
    ) -> SimilarityMatrix:
        assert columns is not None
        assert len(rows) * len(columns) <= self._largest
        if self.calls == self.left:
            raise Killed
        self.calls += 1
        return self._scorer.matrix(rows, columns, progress)


def whole(grid: Grid) -> Any:
    return TrajectoryScorer(ToyModel(), CONFIG).matrix(grid.rows, grid.columns).similarities


GRIDS = [
    Grid(TEXTS, None, 5),
    Grid(TEXTS, None, 100),
    Grid(TEXTS, OTHERS, 3),
    Grid(OTHERS, TEXTS, 4),
]


@pytest.mark.parametrize("grid", GRIDS)
def test_a_matrix_by_tiles_is_the_matrix(grid: Grid, tmp_path: Path) -> None:
    path, reported = tmp_path / "m.npy", list[int]()
    stream_matrix(Counted(largest=grid.size**2), grid, path, reported.append)
    found = np.load(path)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, whole(grid).astype(np.float32))
    assert sum(reported) == grid.cells
    assert not parts_folder(path).exists()


def test_texts_among_themselves_cost_half(tmp_path: Path) -> None:
    scorer = Counted()
    stream_matrix(scorer, Grid(TEXTS, None, 4), tmp_path / "m.npy")
    assert scorer.calls == 6


def pairs_of(
    scorer: Scorer, grid: Grid, selection: Selection, path: Path, judge: Scorer | None = None
) -> list[dict[str, Any]]:
    def write(rows: Iterator[dict[str, Any]], new: Path) -> None:
        stream_rows(rows, "jsonl", new, PAIR_COLUMNS)

    count = stream_pairs(scorer, grid, selection, path, write, judge=judge)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert count == len(lines)
    return lines


@pytest.mark.parametrize("grid", GRIDS)
def test_pairs_above_a_threshold(grid: Grid, tmp_path: Path) -> None:
    similarities = whole(grid)
    threshold = float(np.quantile(similarities, 0.7))
    expected = {
        (i, j): value
        for (i, j), value in np.ndenumerate(similarities)
        if value >= threshold and (grid.columns is not None or i < j)
    }
    assert len(expected) > 5
    scorer = Counted(largest=grid.size**2)
    found = pairs_of(scorer, grid, Selection(threshold=threshold), tmp_path / "pairs")
    assert {(line["row"], line["column"]): line["similarity"] for line in found} == expected
    assert len(found) == len(expected)
    for line in found:
        assert line["text1"] == grid.rows[line["row"]]
        assert line["text2"] == grid.others[line["column"]]
    # As the guide says, tile by tile.
    places = [(line["row"], line["column"]) for line in found]
    assert places == sorted(places, key=lambda at: (at[0] // grid.size, at[1] // grid.size, at))


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("k", [1, 3, 100])
def test_the_nearest_of_each_text(grid: Grid, k: int, tmp_path: Path) -> None:
    similarities = whole(grid)
    if grid.columns is None:
        np.fill_diagonal(similarities, -1)
    found = pairs_of(Counted(), grid, Selection(k=k), tmp_path / "pairs")
    expected = []
    for i, row in enumerate(similarities):
        order = np.argsort(-row, kind="stable")[:k]
        expected += [(i, int(j)) for j in order if row[j] >= 0]
    assert [(line["row"], line["column"]) for line in found] == expected


def test_a_judge_scores_the_shortlist_again(tmp_path: Path) -> None:
    grid, judge = Grid(TEXTS, None, 5), Counted(seed=7)
    shortlist = pairs_of(Counted(), grid, Selection(k=3), tmp_path / "shortlist")
    judged = pairs_of(Counted(), grid, Selection(k=3), tmp_path / "judged", judge)
    assert judge.judged == len(shortlist)
    assert {(one["row"], one["column"], one["similarity"]) for one in shortlist} == {
        (one["row"], one["column"], one["shortlisted"]) for one in judged
    }
    for row in range(len(TEXTS)):
        of_row = [one for one in judged if one["row"] == row]
        scores = judge.score([(one["text1"], one["text2"]) for one in of_row])
        values = [one["similarity"] for one in of_row]
        assert values == [score.similarity for score in scores] == sorted(values, reverse=True)


@pytest.mark.parametrize("kind", ["matrix", "above", "nearest"])
def test_killed_at_any_tile_it_goes_on_to_the_same_bytes(kind: str, tmp_path: Path) -> None:
    grid = Grid(TEXTS, None, 5)

    def run(scorer: Counted, path: Path) -> None:
        if kind == "matrix":
            stream_matrix(scorer, grid, path)
        else:
            chosen = Selection(threshold=0.5) if kind == "above" else Selection(k=2)
            pairs_of(scorer, grid, chosen, path)

    straight = Counted()
    run(straight, tmp_path / "whole")
    for after in range(straight.calls):
        path = tmp_path / str(after)
        first, second = Counted(), Counted()
        first.left = after
        with pytest.raises(Killed):
            run(first, path)
        assert not path.exists()
        run(second, path)
        assert path.read_bytes() == (tmp_path / "whole").read_bytes()
        # No more is done again than the rows that were under way.
        assert first.calls + second.calls <= straight.calls + len(grid.column_blocks)
        assert not parts_folder(path).exists()


def test_another_run_is_refused(tmp_path: Path) -> None:
    scorer, path = Counted(), tmp_path / "m.npy"
    scorer.left = 1
    with pytest.raises(Killed):
        stream_matrix(scorer, Grid(TEXTS, None, 5), path)
    for other, grid, message in (
        (Counted(seed=1), Grid(TEXTS, None, 5), "seed is 1, there 0"),
        (Counted(), Grid(TEXTS, None, 4), "tile is 4, there 5"),
        (Counted(), Grid(TEXTS[1:], None, 5), "rows.texts is 11, there 12"),
    ):
        with pytest.raises(ConfigError, match=message):
            stream_matrix(other, grid, path)
    stream_matrix(Counted(), Grid(TEXTS, None, 5), path)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one row"):
        Grid([])
    with pytest.raises(ConfigError, match="tile must be between"):
        Grid(TEXTS, None, 0)
    for wrong in ({}, {"threshold": 0.5, "k": 1}):
        with pytest.raises(InputError, match="either a threshold or k"):
            Selection(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="threshold must be between 0 and 1"):
        Selection(threshold=2)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        stream_matrix(Counted(), Grid(TEXTS), tmp_path / "file" / "m.npy")


def test_an_error_of_a_model_is_not_taken_for_one_of_writing(tmp_path: Path) -> None:
    class Gone(Counted):
        def matrix(self, *_: Any) -> SimilarityMatrix:
            raise FileNotFoundError("no weights")

    with pytest.raises(FileNotFoundError, match="no weights"):
        stream_matrix(Gone(), Grid(TEXTS), tmp_path / "m.npy")
    with pytest.raises(FileNotFoundError, match="no weights"):
        stream_pairs(Gone(), Grid(TEXTS), Selection(k=1), tmp_path / "m.csv", lambda *_: None)


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0x40
    path.write_bytes(content)


@pytest.mark.parametrize("damage", ["flipped", "cut", "longer", "deleted", "header", "order"])
@pytest.mark.parametrize("kind", ["matrix", "nearest"])
def test_what_was_damaged_since_is_done_again(kind: str, damage: str, tmp_path: Path) -> None:
    grid = Grid(TEXTS, None, 5)

    def run(scorer: Counted, path: Path) -> None:
        if kind == "matrix":
            stream_matrix(scorer, grid, path)
        else:
            pairs_of(scorer, grid, Selection(k=2), path)

    whole, path = tmp_path / "whole", tmp_path / "damaged"
    run(Counted(), whole)
    first = Counted()
    first.left = 4
    with pytest.raises(Killed):
        run(first, path)
    part = parts_folder(path) / ("matrix.npy" if kind == "matrix" else "000000.part")
    size = part.stat().st_size
    if damage == "deleted":
        part.unlink()
    elif damage == "cut":
        part.write_bytes(part.read_bytes()[: size // 2])
    elif damage == "longer":
        part.write_bytes(part.read_bytes() + b"xx")
    elif damage == "order":
        part.write_bytes(part.read_bytes().replace(b"False", b"True "))
    else:
        # The first tile is behind the header of 128 bytes.
        flip(part, 30 if damage == "header" else min(131, size - 2))
    run(Counted(), path)
    assert path.read_bytes() == whole.read_bytes()


def test_the_stages_of_each_tile_are_followed(tmp_path: Path) -> None:
    stages: list[str] = []

    def progress(stage: str, _texts: int) -> OnProgress:
        stages.append(stage)
        return ignore_progress

    grid = Grid(TEXTS, None, 5)
    stream_matrix(TrajectoryScorer(ToyModel(), CONFIG), grid, tmp_path / "m.npy", progress=progress)
    assert stages.count("sampling") == len(list(grid.tiles()))
