from pathlib import Path

import pytest
from click.testing import CliRunner

from similarity.cli.main import main


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        (None, "neither word is in the general sentences"),
        ("The zyxo sleeps.\n", "1 in words[1].txt"),
        ("A car.\n", "neither word is in words[1].txt"),
    ],
)
def test_contexts_name_the_corpus(
    corpus: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = []
    if corpus is not None:
        Path("words[1].txt").write_text(corpus)
        options = ["--corpus", "words[1].txt"]
    result = CliRunner().invoke(main, ["hyponym", "zyxo", "wuqi", "--model", "toy", *options])
    assert result.exit_code == 0, result.output
    assert message in result.stdout
