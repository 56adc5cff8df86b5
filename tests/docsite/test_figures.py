"""The pictures are drawn from the tables that stand beside them."""

from pathlib import Path

import pytest

from docsite import figures
from docsite.pages import ROOT


def test_the_pictures_are_drawn_from_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "IMAGES", tmp_path)
    figures.draw_limits()
    figures.draw_frontier()
    figures.draw_agreement(None)
    assert {path.name for path in tmp_path.iterdir()} == {
        "limits.png",
        "frontier.png",
        "agreement.png",
    }


def test_the_readme_has_the_table_of_what_was_measured() -> None:
    measured = list(figures.rows("measured.md", "| tokens"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for cells in measured:
        assert f"| {' | '.join(cells)} |" in readme
    assert len(measured) == 7
