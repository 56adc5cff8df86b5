import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from similarity.errors import MissingDependencyError
from similarity.extras import extra_needed, optional_module
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


def test_a_package_that_is_there_and_cannot_be_loaded_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "libbig.so: undefined symbol: iJIT_NotifyEvent"
    (tmp_path / "no_such_broken.py").write_text(f"raise ImportError({said!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    message = f"^this needs no_such_broken, which cannot be loaded here: {said}$"
    with pytest.raises(MissingDependencyError, match=message):
        optional_module("no_such_broken", "this needs")


def test_torch_that_cannot_be_loaded_is_not_called_missing(tmp_path: Path) -> None:
    said = "libtorch_cpu.so: undefined symbol: iJIT_NotifyEvent"
    (tmp_path / "torch.py").write_text(f"raise ImportError({said!r})\n")
    program = "from similarity import load_model; load_model('embedded')"
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert f"which cannot be loaded here: {said}" in run.stderr.splitlines()[-1]
    assert "pip install" not in run.stderr.splitlines()[-1]


def test_what_an_extra_lacks_is_named_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    required = [
        "click>=8.1",
        "numpy>=2; extra == 'service'",
        "no-such-web>=1.0; extra == 'service'",
        'no_such_web2[fast]>=2; extra == "service"',
        "no-such-plot; extra == 'plot'",
    ]
    monkeypatch.setattr("similarity.extras.metadata.requires", lambda _name: required)
    message = "^the service needs the extra 'service': pip install no-such-web no_such_web2$"
    with (
        pytest.raises(MissingDependencyError, match=message),
        extra_needed("service", "the service needs"),
    ):
        import_module("no_such_web.parts")
    with (
        pytest.raises(MissingDependencyError, match="^it needs no_such: pip install no_such$"),
        extra_needed(None, "it needs"),
    ):
        import_module("no_such")


def test_a_fault_within_a_package_that_is_there_is_no_missing_one() -> None:
    with (
        pytest.raises(ModuleNotFoundError, match=r"json\.nothing"),
        extra_needed("service", "the service needs"),
    ):
        import_module("json.nothing")


def test_no_message_names_a_package_that_is_on_no_index() -> None:
    sources = [
        path
        for folder in ("similarity", "service", "eval", "docs")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".md")
    ]
    assert len(sources) > 100
    named = [path for path in sources if re.search(r"pip install '?trajsim", path.read_text())]
    assert named == []
