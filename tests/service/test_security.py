"""Keys, request ids, CORS, and what a public address needs."""

import base64

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from service.http.app import create_app
from service.settings import Settings
from similarity.cli.main import main
from similarity.models.toy import ToyModel

KEYS = "first-key,second-key"
BODY = {"pairs": [["a", "b"]]}
PROBES = {"/health", "/health/live", "/health/ready"}


def routes():
    app = create_app(Settings(), ToyModel)
    described = [
        (method.upper(), path)
        for path, operations in app.openapi()["paths"].items()
        for method in operations
    ]
    return [*described, *(("GET", path) for path in ("/", "/docs", "/openapi.json", "/none"))]


@pytest.mark.parametrize(("method", "path"), routes())
def test_every_route_but_the_probes_needs_a_key(open_client, method, path):
    client = open_client(api_keys=KEYS)
    answer = client.request(method, path)
    if path in PROBES:
        assert answer.status_code == 200
    else:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize(
    "header",
    [
        "Bearer wrong",
        "Bearer ",
        "Bearer first-key,second-key",
        "first-key",
        "Token first-key",
        "Basic first-key",
        "Basic " + base64.b64encode(b"user:wrong").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe").decode(),
        "",
    ],
)
def test_wrong_keys(open_client, header):
    client = open_client(api_keys=KEYS)
    answer = client.post("/v1/similarity", json=BODY, headers={"authorization": header})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "Bearer first-key",
        "bearer second-key",
        "Basic " + base64.b64encode(b"anyone:second-key").decode(),
    ],
)
def test_right_keys(open_client, header):
    client = open_client(api_keys=KEYS)
    answer = client.post("/v1/similarity", json=BODY, headers={"authorization": header})
    assert answer.status_code == 200


def test_keys_from_a_file_and_from_the_environment(open_client, tmp_path, monkeypatch):
    file = tmp_path / "keys"
    file.write_text("# of the team\nfrom-file  # until May\n\n", encoding="utf-8")
    monkeypatch.setenv("TRAJSIM_API_KEYS", "from-environment")
    client = open_client(api_keys_file=file)
    for key, status in [("from-file", 200), ("from-environment", 200), ("#", 401)]:
        headers = {"authorization": f"Bearer {key}"}
        assert client.get("/v1/models", headers=headers).status_code == status


def test_a_file_of_keys_is_read_at_the_start_alone(open_client, tmp_path):
    """The description of the interface read it again, and failed where it was gone."""
    file = tmp_path / "keys"
    file.write_text("key", encoding="utf-8")
    client = open_client(api_keys_file=file)
    file.unlink()
    answer = client.get("/openapi.json", headers={"authorization": "Bearer key"})
    assert answer.status_code == 200
    assert answer.json()["paths"]["/v1/models"]["get"]["security"] == [{"key": []}]


def test_a_browser_is_asked_for_the_key(open_client):
    answer = open_client(api_keys=KEYS).get("/", headers={"accept": "text/html"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")


def test_keys_are_not_shown(tmp_path):
    settings = Settings(api_keys="very-secret")
    assert "very-secret" not in repr(settings)
    with pytest.raises(ValidationError, match="character"):
        Settings(api_keys="a key")
    result = CliRunner().invoke(main, ["serve", "--api-keys", "schlüssel", "--model", "toy"])
    assert result.exit_code == 2
    assert "schlüssel" not in result.output


def test_a_file_of_keys_may_begin_with_a_byte_order_mark(tmp_path):
    file = tmp_path / "keys"
    file.write_bytes("\ufefffirst\r\nsecond\r\n".encode())
    assert Settings(api_keys_file=file).keys() == ["first", "second"]


def test_only_a_mark_that_no_key_goes_on_with_begins_a_comment(tmp_path):
    file = tmp_path / "keys"
    file.write_text("# of all\nfirst # of ours\n\n  # more\nkey#four\nsecond\t#\n#third\n")
    assert Settings(api_keys_file=file).keys() == ["first", "key#four", "second"]


@pytest.mark.parametrize(("key", "named"), [("a\u200bb", "U\\+200B"), ("a b", "U\\+0020")])
def test_a_key_that_no_header_carries_is_named_by_number_and_character(key, named):
    with pytest.raises(
        ValidationError, match=f"key 2 of TRAJSIM_API_KEYS.*has the character {named}"
    ):
        Settings(api_keys=f"good,{key}")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])
def test_a_public_address_needs_a_key_or_an_explicit_word(host, monkeypatch):
    # Where there is no network the name has no address, which is said first.
    monkeypatch.setattr("socket.getaddrinfo", lambda *_: [])
    with pytest.raises(ValidationError, match="TRAJSIM_API_KEYS"):
        Settings(host=host)
    assert Settings(host=host, api_keys="key").host == host
    assert Settings(host=host, allow_open=True).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_an_address_of_this_machine_alone_needs_none(host):
    assert Settings(host=host).keys() == []


def test_empty_keys_are_a_mistake_and_not_an_open_door(tmp_path):
    empty = tmp_path / "empty"
    empty.write_text("# nothing\n", encoding="utf-8")
    for settings in ({"api_keys": " , "}, {"api_keys_file": empty}):
        with pytest.raises(ValidationError, match="has no key"):
            Settings(**settings)
    with pytest.raises(ValidationError, match="cannot be read"):
        Settings(api_keys_file=tmp_path / "missing")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("abc-123_X.y", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("a b", False),
        ('"><script>', False),
        ("a\tb", False),
        ("", False),
    ],
)
def test_request_ids_are_kept_where_they_are_clean(client, given, kept):
    answer = client.get("/health/live", headers={"x-request-id": given})
    assert (answer.headers["x-request-id"] == given) is kept
    assert answer.headers["x-request-id"].isascii()


PREFLIGHT = {
    "origin": "https://app.example",
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
}


def test_cors_is_off_by_default(client):
    answer = client.options("/v1/similarity", headers=PREFLIGHT)
    assert "access-control-allow-origin" not in answer.headers
    answer = client.post("/v1/similarity", json=BODY, headers={"origin": "https://app.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_cors_allows_authorization_where_it_is_on_even_before_the_key(open_client):
    client = open_client(cors_origins="https://app.example", api_keys=KEYS)
    answer = client.options("/v1/similarity", headers=PREFLIGHT)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert "authorization" in answer.headers["access-control-allow-headers"].lower()
    refused = client.options("/v1/similarity", headers={**PREFLIGHT, "origin": "https://evil"})
    assert refused.headers.get("access-control-allow-origin") is None
    # A page must be able to read why it was refused.
    wrong = client.post("/v1/similarity", json=BODY, headers={"origin": "https://app.example"})
    assert wrong.status_code == 401
    assert wrong.headers["access-control-allow-origin"] == "https://app.example"


# As OpenAI's client for JavaScript asks, below a tracer that adds its own.
SENT = (
    "authorization,content-type,traceparent,tracestate,x-api-key,x-request-id,x-stainless-arch,"
    "x-stainless-lang,x-stainless-os,x-stainless-package-version,x-stainless-retry-count,"
    "x-stainless-runtime,x-stainless-runtime-version,x-stainless-timeout"
)


@pytest.mark.parametrize("origins", ["https://app.example", "*"])
def test_pages_of_allowed_origins_may_send_what_clients_add(open_client, origins):
    client = open_client(cors_origins=origins, api_keys=KEYS)
    asked = {
        **PREFLIGHT,
        "access-control-request-headers": SENT,
        "access-control-request-private-network": "true",
    }
    answer = client.options("/v1/embeddings", headers=asked)
    assert answer.status_code == 200
    allowed = answer.headers["access-control-allow-headers"].lower().split(",")
    assert {name.strip() for name in allowed} >= set(SENT.split(","))
    assert answer.headers["access-control-allow-private-network"] == "true"
    assert "access-control-allow-credentials" not in answer.headers


def test_a_method_that_pages_may_not_use_is_named(open_client):
    """The origin was said not to be allowed, and it was."""
    client = open_client(cors_origins="https://app.example")
    asked = {**PREFLIGHT, "access-control-request-method": "DELETE"}
    answer = client.options("/v1/embeddings", headers=asked)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "method_not_allowed"
    assert error["message"] == (
        "pages of other origins may not call this service by DELETE; use GET or HEAD or POST"
    )
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


@pytest.mark.parametrize(
    "value",
    [
        "app.example",
        "https://",
        "https:///a",
        "ftp://app.example",
        "https://app.example/page",
        "https://*.app.example",
        "https://user@app.example",
        "https://app.example:no",
        "https://a b",
    ],
)
def test_origins_are_checked(value):
    """Some of these were taken, and then never were a browser's own."""
    with pytest.raises(ValidationError, match="as https://example.org or http://example.org:8080"):
        Settings(cors_origins=f"https://good.example, {value}")


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("https://app.example/", "https://app.example"),
        ("https://App.Example", "https://app.example"),
        ("HTTPS://app.example:443", "https://app.example"),
        ("http://app.example:8080/", "http://app.example:8080"),
        ("https://stra\u00dfe.example", "https://xn--strae-oqa.example"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_origins_are_known_as_browsers_write_them(open_client, given, written):
    client = open_client(cors_origins=f"https://other.example, {given}")
    answer = client.options("/v1/similarity", headers={**PREFLIGHT, "origin": written})
    assert answer.headers["access-control-allow-origin"] == written
    assert Settings(cors_origins="*").origins == ["*"]


def test_the_page_has_the_headers_that_browsers_expect(client):
    headers = client.get("/").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


OWN = ["localhost", "LOCALHOST:8000", "localhost.", "a.localhost:1", "127.0.0.1:8000", "[::1]:8000"]
FOREIGN = ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost@evil.example"]
NO_NAMES = ["[", "[::1", "x y", "evil.example#localhost", "0.0.0.0", "localhost/../evil"]


@pytest.mark.parametrize("host", OWN)
def test_a_service_of_this_machine_alone_is_called_by_its_own_names(client, host):
    assert client.post("/v1/similarity", json=BODY, headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", [*FOREIGN, *NO_NAMES])
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/similarity"), ("GET", "/metrics")])
def test_a_foreign_name_that_was_made_to_stand_for_this_machine_is_refused(
    client, host, method, path
):
    """So a page of another site, whose browser takes this for its own host, reads no answer."""
    body = BODY if method == "POST" else None
    answer = client.request(method, path, json=body, headers={"host": host, "origin": "http://e"})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "host_not_allowed"
    assert "TRAJSIM_ALLOWED_HOSTS" in answer.json()["error"]["message"]
    assert "evil" not in str(answer.headers) + answer.text


def test_probes_may_name_any_host(client):
    for path in PROBES:
        assert client.get(path, headers={"host": "10.0.0.7:8000"}).status_code == 200


@pytest.mark.parametrize(
    ("settings", "hosts"),
    [
        ({}, []),
        ({"host": "::1"}, []),
        ({"api_keys": "key"}, None),
        ({"host": "0.0.0.0", "allow_open": True}, None),
        ({"allowed_hosts": "*"}, None),
        ({"allowed_hosts": "App.Example, b"}, ["app.example", "b"]),
        ({"host": "0.0.0.0", "allow_open": True, "allowed_hosts": "b"}, ["b"]),
        ({"allowed_hosts": "[2001:db8::1]"}, ["2001:db8::1"]),
    ],
)
def test_which_hosts_may_be_named(settings, hosts):
    assert Settings(**settings).hosts() == hosts


def test_a_host_that_is_allowed_may_be_named_as_well(open_client):
    client = open_client(allowed_hosts="app.example")
    for host, status in [("app.example:443", 200), ("localhost", 200), ("b.app.example", 403)]:
        answer = client.post("/v1/similarity", json=BODY, headers={"host": host})
        assert answer.status_code == status


@pytest.mark.parametrize("value", ["http://app.example", "app.example:80", "a/b", "a b", "x@y"])
def test_allowed_hosts_are_names_alone(value):
    with pytest.raises(ValidationError, match="without scheme and port"):
        Settings(allowed_hosts=value)
