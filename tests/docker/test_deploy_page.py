"""docs/guides/deploy.md: its commands work, its names exist, its sizes are computed."""

import importlib.util
import re
import subprocess
from pathlib import Path

from service.settings import Settings
from tests.conftest import ROOT
from tests.docker.conftest import DOCKER

PAGE = (ROOT / "docs" / "guides" / "deploy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^ *```sh\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_commands_make_the_secrets_that_compose_names(tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    subprocess.run(["sh", "-euc", BLOCKS[0]], cwd=tmp_path, check=True)
    secrets = tmp_path / "docker" / "secrets"
    assert secrets.stat().st_mode & 0o777 == 0o700
    keys = Settings(api_keys_file=secrets / "api_keys").keys()
    assert len(set(keys)) == 2
    assert (secrets / "metrics_key").read_text(encoding="utf-8").strip() in keys
    compose = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    made = {path.name for path in secrets.iterdir()}
    assert made == set(re.findall(r"\./secrets/(\w+)", compose))


def test_every_command_is_shell() -> None:
    for block in BLOCKS:
        subprocess.run(["sh", "-n"], input=block, text=True, check=True)


def test_every_variable_is_a_setting_or_one_of_compose() -> None:
    compose = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    known = set(re.findall(r"\$\{([A-Z_]+):-", compose))
    assert known - set(re.findall(r"`([A-Z_]+)`", PAGE)) == set()
    for variable in re.findall(r"\bTRAJSIM_[A-Z_]+", PAGE):
        setting = variable.removeprefix("TRAJSIM_").lower()
        assert setting in Settings.model_fields or variable in known, variable


def test_every_file_and_target_that_is_named_exists() -> None:
    folders = "docker/(?!secrets)|docs/|kubernetes/|monitoring/|requirements/"
    for name in re.findall(rf"`((?:{folders})[\w./-]*)`", PAGE):
        assert (ROOT / name).exists() or (DOCKER / name).exists(), name
    files = [ROOT / "Makefile", *ROOT.glob("*.mk")]
    rules = "".join(path.read_text(encoding="utf-8") for path in files)
    for target in re.findall(r"`make ([a-z-]+)`", PAGE):
        assert f"\n{target}: " in rules, target


def test_the_table_of_sizes_is_what_is_computed() -> None:
    spec = importlib.util.spec_from_file_location("sizes", DOCKER / "sizes.py")
    assert spec is not None
    assert spec.loader is not None
    sizes = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sizes)
    assert sizes.table() in PAGE
