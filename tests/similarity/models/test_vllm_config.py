"""Addresses of servers, and the settings that the environment gives."""

import pytest

from similarity.errors import ConfigError
from similarity.models.vllm_server.address import ServerAddress
from similarity.models.vllm_server.config import ServerConfig


@pytest.mark.parametrize(
    ("text", "urls", "name", "revision"),
    [
        ("http://a:8000", ("http://a:8000",), None, None),
        ("http://a:8000/", ("http://a:8000",), None, None),
        ("https://a/v1", ("https://a",), None, None),
        ("http://a:8000/v1/completions", ("http://a:8000",), None, None),
        ("http://a/base/v1/chat/completions/#m", ("http://a/base",), "m", None),
        ("http://a/v1/models,http://b/v1/embeddings", ("http://a", "http://b"), None, None),
        ("http://a/v1/tenant", ("http://a/v1/tenant",), None, None),
        ("http://[::1]:8000#m", ("http://[::1]:8000",), "m", None),
        ("http://a,http://b#org/m", ("http://a", "http://b"), "org/m", None),
        (
            "http://a#m, http://b#m,http://a:8000",
            ("http://a", "http://b", "http://a:8000"),
            "m",
            None,
        ),
        ("http://a/base#m@probe:12", ("http://a/base",), "m", "probe:12"),
    ],
)
def test_addresses(text: str, urls: tuple[str, ...], name: str, revision: str) -> None:
    expected = ServerAddress(urls=urls, name=name, revision=revision)
    assert ServerAddress.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("http://", "give http://host:port"),
        ("http://a,b", "'b' is not the address"),
        ("http://a,", "'http://a,' has a comma too many"),
        ("http://a,,http://b#m", "has a comma too many, or lacks an address beside one; give"),
        ("http://me:secret@a,", "'http://…@a,' has a comma too many"),
        ("http://a:port", "is not the address"),
        ("http://a:0", "is not the address"),
        ("http://a?x=1", "is not the address"),
        ("http://a#m,http://b#n", "one name, got m, n"),
        ("http://a#", "^'#' lacks the name after #; give http://host:8000#NAME@REVISION, #NAME"),
        ("http://a#@probe:12", "lacks the name after #"),
        ("http://a#m@", "'#m@' lacks the revision after @; give"),
        ("http://a,http://b#m@", "lacks the revision after @; give"),
        ("http://a#m,http://b#", "lacks the name"),
        ("http://a#m,http://b#m@p:1", "one name, got m, m@p:1; give"),
        ("http://a,http://b,http://a/v1", "^http://a is given twice; give each server once"),
        ("http://A:80/,http://a#m", "^http://a is given twice, also as http://A:80; give"),
        ("https://a,https://a:443", "^https://a:443 is given twice, also as https://a; give"),
        ("http://me:secret@a", "TRAJSIM_VLLM_API_KEY"),
        ("http://me:secret@a:port", "'http://…@a:port' is not the address"),
        ("http://me:secret@", "'http://…@' is not the address"),
        ("http://a?key=secret", r"'http://a\?…' is not the address"),
    ],
)
def test_no_addresses(text: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match) as caught:
        ServerAddress.parse(text)
    assert "secret" not in str(caught.value)


def test_settings_from_the_environment() -> None:
    environment = {
        "TRAJSIM_VLLM_API_KEY": "key",
        "TRAJSIM_VLLM_READ_TIMEOUT": "2.5",
        "TRAJSIM_VLLM_IN_FLIGHT": "4",
        "TRAJSIM_VLLM_PATIENCE": "",
        "OTHER": "x",
    }
    expected = ServerConfig(api_key="key", read_timeout=2.5, in_flight=4)
    assert ServerConfig.from_environment(environment) == expected


@pytest.mark.parametrize("value", ["many", "0", "-1", "nan", "inf"])
@pytest.mark.parametrize("variable", ServerConfig.variables()[1:])
def test_settings_that_are_none(variable: str, value: str) -> None:
    """Of those out of range, a message had the name of the argument in Python."""
    with pytest.raises(ConfigError, match=f"^{variable} must be"):
        ServerConfig.from_environment({variable: value})


@pytest.mark.parametrize("text", ["secret\n", " secret", "\tsecret\r\n"])
def test_white_space_around_a_key_is_left_out(text: str) -> None:
    """A secret of Kubernetes that was made from a file ends with the end of its line."""
    environment = {"TRAJSIM_VLLM_API_KEY": text}
    assert ServerConfig.from_environment(environment) == ServerConfig(api_key="secret")
    assert ServerConfig(api_key=text) == ServerConfig(api_key="secret")


def test_a_key_of_white_space_is_none() -> None:
    assert ServerConfig.from_environment({"TRAJSIM_VLLM_API_KEY": "\n"}) == ServerConfig()


@pytest.mark.parametrize("text", ["“secret”", "sec\nret", "sec ret"])
def test_a_key_that_no_header_carries_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="^TRAJSIM_VLLM_API_KEY has the character") as caught:
        ServerConfig.from_environment({"TRAJSIM_VLLM_API_KEY": text})
    assert "sec" not in str(caught.value)
    with pytest.raises(ConfigError, match="^api_key has the character"):
        ServerConfig(api_key=text)
