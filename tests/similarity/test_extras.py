import re
import sys

import pytest

from similarity.errors import MissingDependencyError
from similarity.extras import optional_module
from tests.conftest import ROOT


def test_a_module_that_is_there() -> None:
    assert optional_module("json.decoder", "this needs").JSONDecoder


@pytest.mark.parametrize(
    ("module", "command"),
    [("matplotlib.figure", "pip install matplotlib"), ("faiss", "pip install faiss-cpu")],
)
def test_a_missing_package_is_named_as_it_is_installed(
    module: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=f"^this needs .*: {command}$"):
        optional_module(module, "this needs")


def test_no_message_names_a_package_that_is_on_no_index() -> None:
    sources = [
        path
        for folder in ("similarity", "service", "eval", "docs")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".md")
    ]
    assert len(sources) > 100
    told = [path for path in sources if re.search(r"pip install '?trajsim", path.read_text())]
    assert told == []
