"""An address that no client of HTTP could ask is refused in one line, at every door."""

from collections.abc import Callable

import anyio
import httpx
import pytest
from click.testing import CliRunner

from service.cli import read_settings
from service.client import AsyncClient, Client
from service.http.fetching import FetchPlaces, ImageFetcher, ImageHostError, ImageSourceError
from similarity.cli.main import main
from similarity.errors import ConfigError, ModelError
from similarity.models.loader import is_address, load_model
from similarity.models.vllm_server.address import ServerAddress
from similarity.models.vllm_server.loader import load_server

NO_HOSTS = [
    "http://999.1.1.1:8000",
    "http://256.256.256.256:8000",
    "http://☃.example:80",
    "http://xn--a:80",
    "http://a..b:80",
    f"http://{'a' * 70}:80",
    "http://a\x00b:80",
    "http://[::zz]:80",
    "http://a b:80",
    "http://a :80",
    "http://a<b:80",
    "http://a%20b:80",
    "http://a|b:80",
    "http://a:80/\ud800",
]


def fetch(url: str) -> None:
    fetcher = ImageFetcher(
        ["images.test"],
        max_bytes=9,
        max_total=9,
        seconds=1.0,
        hold=lambda _bytes: None,
        places=FetchPlaces(),
    )
    anyio.run(fetcher.fetch, url)


DOORS: dict[str, tuple[Callable[[str], object], type[Exception], str]] = {
    "model": (load_model, ConfigError, "is not the address of a server; give http://host:port"),
    "client": (Client, ConfigError, "is not the address of a service; give one such as"),
    "async client": (AsyncClient, ConfigError, "is not the address of a service; give one such as"),
    "image": (fetch, ImageHostError, "is not a URL"),
    "image_hosts": (
        lambda url: read_settings(image_hosts=url),
        ConfigError,
        "is not the name of a host",
    ),
    "otlp_endpoint": (
        lambda url: read_settings(otlp_endpoint=url),
        ConfigError,
        "is not the address of a collector; give http://host:4318",
    ),
}


@pytest.mark.parametrize("url", NO_HOSTS, ids=ascii)
@pytest.mark.parametrize("door", DOORS)
def test_a_host_that_cannot_be_asked_is_refused(door: str, url: str) -> None:
    call, kind, said = DOORS[door]
    with pytest.raises(kind, match=said) as caught:
        call(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "words", [("compare", "A.", "B."), ("doctor",), ("serve", "--port", "0")], ids=lambda w: w[0]
)
@pytest.mark.parametrize("model", ["http://999.1.1.1:8000", "http://xn--a:80", "localhost:8221"])
def test_commands_refuse_them_in_one_line(words: tuple[str, ...], model: str) -> None:
    result = CliRunner().invoke(main, [words[0], "--model", model, *words[1:]])
    assert result.exit_code in (1, 2)
    lines = [line for line in result.stderr.splitlines() if not line.startswith("connecting")]
    assert len(lines) == 1, result.output
    assert f"{model!r} is not the address of a server; give http://host:port" in lines[0]


@pytest.mark.parametrize(
    "name", ["ftp://host:80", "localhost:8221", "127.0.0.1:8221", "[::1]:80", "hub:80/v1"]
)
def test_what_is_meant_as_an_address_is_refused_without_asking_a_hub(name: str) -> None:
    with pytest.raises(ConfigError, match="is not the address of a server; give http://host:port"):
        load_model(name)


@pytest.mark.parametrize("url", ["HTTP://127.0.0.1:8259", "hTTps://a:1,HTTP://b:2"])
def test_a_scheme_may_be_in_any_case(url: str) -> None:
    assert is_address(url)
    assert ServerAddress.parse(url).urls[0].startswith(("http://", "https://"))


@pytest.mark.parametrize("name", ["toy", "org/model", "/folder/model", "vllm:8000", "C:\\models"])
def test_other_names_are_no_addresses(name: str) -> None:
    assert not is_address(name)


@pytest.mark.parametrize("location", NO_HOSTS[:6], ids=ascii)
def test_a_redirect_to_no_host_is_not_followed(
    location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = httpx.Response(302, headers={"location": location.encode()})
    transport = httpx.MockTransport(lambda _request: answer)
    monkeypatch.setattr("service.http.fetching.CheckedTransport", lambda: transport)
    with pytest.raises((ImageHostError, ImageSourceError), match="redirects|did not give"):
        fetch("https://images.test/a.png")


@pytest.mark.parametrize("location", NO_HOSTS[:6], ids=ascii)
def test_a_server_that_redirects_to_no_host_is_named(location: str) -> None:
    answer = httpx.Response(302, headers={"location": location.encode()})
    with pytest.raises(ModelError, match=r"^http://a\b"):
        load_server("http://a:80", transport=httpx.MockTransport(lambda _request: answer))
