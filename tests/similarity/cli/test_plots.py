from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from similarity import compare_matrix
from similarity.cli import plots
from similarity.cli.main import main
from similarity.config import ComparisonConfig
from similarity.errors import InputError
from similarity.groups.clustering import cluster
from similarity.models.toy import ToyModel
from similarity.results import SimilarityMatrix

pytest.importorskip("matplotlib")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect the figures that would be saved."""
    figures: list[Any] = []
    monkeypatch.setattr(plots, "save_figure", lambda figure, path: figures.append(figure))
    return figures


def matrix(count: int) -> SimilarityMatrix:
    texts = [f"text {number % 7}" for number in range(count)]
    settings = ComparisonConfig.build(n_trajectories=2, max_tokens=2)
    return compare_matrix(ToyModel(), texts, config=settings)


def test_the_first_of_many_texts_is_number_1(drawn: list[Any]) -> None:
    plots.draw_heat(matrix(70), "heat.png")
    axes = drawn[0].axes[0]
    assert axes.get_xlim() == (0.5, 70.5)
    assert axes.get_ylim() == (70.5, 0.5)


def test_few_texts_are_named_at_the_middles_of_their_cells(drawn: list[Any]) -> None:
    plots.draw_heat(matrix(3), "heat.png")
    axes = drawn[0].axes[0]
    assert axes.get_yticks().tolist() == [1, 2, 3]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["text 0", "text 1", "text 2"]


def test_groups_of_many_texts_have_the_numbers_of_the_table(drawn: list[Any]) -> None:
    result = matrix(70)
    found = cluster(result.similarities, k=7)
    plots.draw_groups(result, found, "groups.png")
    axes = drawn[0].axes[0]
    image = axes.images[0].get_array()
    frames = {frame.get_x(): round(frame.get_width()) for frame in axes.patches}
    numbered = dict(
        zip([label.get_text() for label in axes.get_yticklabels()], axes.get_yticks(), strict=True)
    )
    large = {str(number): group for number, group in enumerate(found.groups, 1) if len(group) > 1}
    assert numbered.keys() == large.keys()
    assert len(large) > 1
    assert axes.get_ylabel() == "group"
    for number, group in large.items():
        begin = numbered[number] - len(group) / 2
        assert frames[begin] == len(group)
        inside = image[round(begin - 0.5) :, round(begin - 0.5) :][: len(group), : len(group)]
        assert np.allclose(
            np.sort(inside, axis=None),
            np.sort(result.similarities[np.ix_(group, group)], axis=None),
        )


def test_groups_without_room_have_no_number(drawn: list[Any]) -> None:
    result = matrix(130)
    texts = np.arange(130) % 7 < 1
    apart = np.where(texts[:, None] & texts[None, :], 1.0, np.eye(130))
    found = cluster(apart, threshold=0.5)
    plots.draw_groups(result, found, "groups.png")
    labels = [label.get_text() for label in drawn[0].axes[0].get_yticklabels()]
    large = [str(number) for number, group in enumerate(found.groups, 1) if len(group) > 1]
    assert labels == large == [labels[0]]


def test_darker_is_more_alike(drawn: list[Any]) -> None:
    plots.draw_heat(matrix(3), "heat.png")
    image = drawn[0].axes[0].images[0]
    shades = [sum(image.cmap(image.norm(value))[:3]) for value in np.linspace(0, 1, 21)]
    assert shades == sorted(shades, reverse=True)
    assert shades[0] > 2.5 > 1 > shades[-1]


@pytest.mark.parametrize("command", ["cluster", "matrix"])
def test_a_picture_that_cannot_be_written_says_that_the_output_is(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise InputError("cannot write g.png: No space left on device")

    monkeypatch.setattr(plots, "replace_output", full)
    monkeypatch.chdir(tmp_path)
    Path("texts.txt").write_text("a red car\nthe sea\n")
    arguments = (command, "texts.txt", "--plot", "g.png", "--model", "toy", "--preset", "fast")
    result = CliRunner().invoke(main, [*arguments, "--out", "c.csv"])
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].endswith("; c.csv is written, and the picture is not")
    assert Path("c.csv").exists()
    printed = CliRunner().invoke(main, [*arguments, "--format", "csv"])
    assert printed.stderr.splitlines()[-1].endswith("No space left on device")
