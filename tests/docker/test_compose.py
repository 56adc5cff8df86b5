"""compose.yaml: valid, hardened, open to nobody without a key, vLLM started as its page says."""

import re
from typing import Any

import pytest
import yaml

from service.settings import Settings
from tests.conftest import ROOT
from tests.docker.conftest import DOCKER, Run

COMPOSE = DOCKER / "compose.yaml"
CONTENT: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = CONTENT["services"]
VLLM_PAGE = ROOT / "docs" / "guides" / "vllm.md"


def test_it_is_valid_by_the_compose_specification(run_tool: Run) -> None:
    run_tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)


def test_every_service_is_in_a_profile() -> None:
    profiles = [profile for service in SERVICES.values() for profile in service["profiles"]]
    assert set(profiles) == {"cpu", "gpu", "monitoring", "eval"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_hardened_and_bounded(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert "privileged" not in service
    assert "network_mode" not in service


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_has_an_exact_tag_or_is_our_own(name: str) -> None:
    exact = r"[a-z-]+/[a-z-]+:v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?"
    assert re.fullmatch(rf"{exact}|\$\{{TRAJSIM_IMAGE:-trajsim:local\}}", SERVICES[name]["image"])


@pytest.mark.parametrize("name", ["trajsim", "trajsim-gpu", "evaluation"])
def test_a_root_that_is_read_only_has_a_place_for_models_of_a_hub_and_fitted_scales(
    name: str,
) -> None:
    assert "cache:/cache" in SERVICES[name]["volumes"]
    assert "cache" in CONTENT["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_is_published_beyond_this_host_unasked(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.match(r"(\$\{TRAJSIM_PUBLISH:-)?127\.0\.0\.1:", port)
        if "TRAJSIM_PUBLISH" in port:
            # Where it is published elsewhere, the service asks for a key all the same.
            assert SERVICES[name]["environment"]["TRAJSIM_API_KEYS_FILE"] == "/run/secrets/api_keys"
            assert "api_keys" in SERVICES[name]["secrets"]


def test_no_secret_is_in_the_environment() -> None:
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"KEY|TOKEN|PASSWORD", variable):
                assert value.startswith("/run/secrets/"), variable
    files = {secret["file"] for secret in CONTENT["secrets"].values()}
    assert all(file.startswith("./secrets/") for file in files)
    assert "docker/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8")
    assert "docker/secrets" in (ROOT / ".dockerignore").read_text(encoding="utf-8")


def test_variables_are_settings() -> None:
    for service in SERVICES.values():
        for variable in service.get("environment", {}):
            if variable.startswith("TRAJSIM_"):
                assert variable.removeprefix("TRAJSIM_").lower() in Settings.model_fields


def test_any_setting_can_be_given_without_changing_the_file() -> None:
    for name in ("trajsim", "trajsim-gpu"):
        assert SERVICES[name]["env_file"] == [{"path": "service.env", "required": False}]
    # What stands under `environment` goes before the file, so servers elsewhere need a variable.
    assert SERVICES["trajsim"]["environment"]["TRAJSIM_MODEL"] == "${TRAJSIM_MODEL:-smollm2}"
    for ignored in (".gitignore", ".dockerignore"):
        assert "docker/service.env" in (ROOT / ignored).read_text(encoding="utf-8")


def test_the_service_waits_for_a_healthy_server() -> None:
    assert SERVICES["trajsim-gpu"]["depends_on"] == {"vllm": {"condition": "service_healthy"}}
    assert "/health" in SERVICES["vllm"]["healthcheck"]["test"][-1]


def test_a_stop_leaves_time_to_finish() -> None:
    (seconds,) = re.fullmatch(r"(\d+)s", SERVICES["trajsim"]["stop_grace_period"]).groups()  # type: ignore[union-attr]
    settings = Settings()
    assert float(seconds) > settings.drain_seconds + settings.grace_seconds


def flags(arguments: list[str]) -> dict[str, str]:
    """Return the flags of a vLLM server with their values."""
    given = " ".join(arguments).replace("=", " ")
    return {name: value or "" for name, value in re.findall(r"(--[a-z-]+)(?: ([^-\s]\S*))?", given)}


def required_flags() -> dict[str, str]:
    """Return those of the page's command for one GPU."""
    command = re.search(r"^vllm serve ID (--.*)$", VLLM_PAGE.read_text("utf-8"), re.MULTILINE)
    assert command is not None
    return flags(command[1].split())


def test_vllm_has_the_flags_of_its_page() -> None:
    assert required_flags().items() <= flags(SERVICES["vllm"]["command"]).items()
