"""Keys of headers, addresses that may be shown, proxies of the environment, times to wait."""

import math
import time
from datetime import UTC, datetime, timedelta

import pytest

from similarity.connections import (
    header_key,
    is_loopback,
    proxy_for,
    seconds_to_wait,
    shown_address,
)
from similarity.errors import ConfigError


@pytest.mark.parametrize("text", ["key", "key\n", "\t key\r\n"])
def test_a_key_is_taken_without_white_space_around_it(text: str) -> None:
    assert header_key("VARIABLE", text) == "key"


@pytest.mark.parametrize("key", [b"secret", 5, None])
def test_a_key_is_a_string(key: object) -> None:
    kind = type(key).__name__
    with pytest.raises(ConfigError, match=f"^VARIABLE must be a string, got {kind}$"):
        header_key("VARIABLE", key)


@pytest.mark.parametrize("text", ["“secret”", "sec ret", "sec\nret", "secrét", "secret\x00"])
def test_a_key_that_no_header_carries_is_not_shown(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^VARIABLE has the character U\+") as caught:
        header_key("VARIABLE", text)
    assert "sec" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://a:8000/v1", "http://a:8000/v1"),
        ("http://me:secret@a:8000", "http://…@a:8000"),
        ("http://me:se/cret@a:8000", "http://…@a:8000"),
        ("http://a?key=secret", "http://a?…"),
        ("http://a#name@revision", "http://a#name@revision"),
    ],
)
def test_what_is_shown_of_an_address(url: str, shown: str) -> None:
    assert shown_address(url) == shown


def test_hosts_of_this_machine() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "::1", "localhost")))
    assert not any(map(is_loopback, ("10.0.0.1", "0.0.0.0", "::", "example.org", "")))


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, "http://a:8000", None),
        ({"http_proxy": "http://p:3128"}, "http://a:8000", "http://p:3128"),
        ({"HTTP_PROXY": "p:3128"}, "http://a:8000", "http://p:3128"),
        ({"HTTPS_PROXY": "http://p:3128"}, "http://a:8000", None),
        ({"ALL_PROXY": "http://p:3128"}, "https://a", "http://p:3128"),
        ({"HTTP_PROXY": "http://p:3128", "NO_PROXY": "b,a"}, "http://a:8000", None),
        ({"HTTP_PROXY": "http://p:3128"}, "http://127.0.0.1:8000", None),
        ({"HTTP_PROXY": "http://p:3128"}, "http://localhost:8000", None),
        ({"HTTP_PROXY": "http://p:3128"}, "http://[::1]:8000", None),
    ],
)
def test_which_proxy(
    variables: dict[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(url) == proxy


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0),
        (" 7 ", 7),
        ("9" * 5000, math.inf),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Sun Nov  6 08:49:37 1994", 0),
        ("", None),
        ("0.5", None),
        ("-5", None),
        ("nan", None),
        ("٣", None),
        ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", None),
        ("Fri, 31 Dec 2030 23:59:59 +99999999999999999999", None),
    ],
)
def test_a_time_to_come_again_is_of_seconds_or_a_date(said: str, seconds: float | None) -> None:
    assert seconds_to_wait(said) == seconds


@pytest.mark.parametrize("zone", [" GMT", " -0000", ""])
def test_a_date_without_a_zone_is_in_utc(
    zone: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(time.tzset)
    monkeypatch.setenv("TZ", "XYZ-9")
    time.tzset()
    soon = datetime.now(UTC) + timedelta(seconds=60)
    assert seconds_to_wait(f"{soon:%a, %d %b %Y %H:%M:%S}{zone}") == pytest.approx(59, abs=2)
