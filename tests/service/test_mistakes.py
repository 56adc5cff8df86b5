"""Settings that cannot be: one line that names the variable and what is allowed, and no start."""

import re
from itertools import product
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from service.cli import listen, read_settings
from service.mistakes import VARIABLES, allowed
from service.settings import Settings
from similarity.cli.main import main
from similarity.cli.variables import PREFIX, misspelt
from similarity.errors import ConfigError
from similarity.models.toy import ToyModel
from tests.service.servers import eventually, running

WRONG = ("inf", "nan", "-1", "1e400", "", "words", "9" * 400)
# Text may be many things: what else is right or wrong of these is below.
TEXTS = {
    "allowed_hosts",
    "model",
    "vectors",
    "host",
    "api_keys",
    "api_keys_file",
    "cors_origins",
    "image_hosts",
    "otlp_endpoint",
}


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize("name", sorted(Settings.model_fields.keys() - TEXTS))
def test_a_wrong_value_is_one_line(name, value, monkeypatch):
    variable = f"TRAJSIM_{name.upper()}"
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as raised:
        read_settings()
    assert str(raised.value) == f"{variable}: must be {allowed(name)}, got {value[:80]!r}"
    assert any(word in allowed(name) for word in ("number", "one of", "true or false"))
    monkeypatch.delenv(variable)
    with pytest.raises(ConfigError, match=f"^--{name.replace('_', '-')}: must be "):
        read_settings(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("model", "", "TRAJSIM_MODEL: must be a text that is not empty, got ''"),
        ("model", "/no/such", "/no/such"),
        ("vectors", "", "TRAJSIM_VECTORS: must be a text that is not empty, got ''"),
        ("vectors", "/no/such", "/no/such"),
        ("host", "", "TRAJSIM_HOST: must be a text that is not empty, got ''"),
        ("host", "192.0.2.1", "192.0.2.1 can be reached from outside and no API key is set"),
        ("host", "example.invalid", "the host 'example.invalid' has no address ("),
        ("host", "a" * 70, f"the host '{'a' * 70}' has no address ("),
        ("api_keys", "", "TRAJSIM_API_KEYS or TRAJSIM_API_KEYS_FILE is set but has no key"),
        ("api_keys_file", "", "TRAJSIM_API_KEYS_FILE cannot be read"),
        ("api_keys_file", "/no/such", "TRAJSIM_API_KEYS_FILE cannot be read"),
        ("cors_origins", "words", "TRAJSIM_CORS_ORIGINS: an origin is * or begins with http://"),
        ("allowed_hosts", "http://a", "TRAJSIM_ALLOWED_HOSTS: a host is * or a name without"),
        ("cors_origins", ",,", "TRAJSIM_CORS_ORIGINS: there is no name in ',,'; give one, or"),
        ("allowed_hosts", " , ", "TRAJSIM_ALLOWED_HOSTS: there is no name in ' , '"),
        ("image_hosts", ",", "TRAJSIM_IMAGE_HOSTS: there is no name in ','"),
        ("image_hosts", "a b", "TRAJSIM_IMAGE_HOSTS: 'a b'"),
        ("otlp_endpoint", "", "TRAJSIM_OTLP_ENDPOINT: an address begins with http://"),
        ("otlp_endpoint", "words", "TRAJSIM_OTLP_ENDPOINT: an address begins with http://"),
    ],
)
def test_a_wrong_text_is_one_line(name, value, message, monkeypatch):
    monkeypatch.setenv("TRAJSIM_MODEL", "toy")
    monkeypatch.setenv("TRAJSIM_PORT", "0")
    monkeypatch.setenv(f"TRAJSIM_{name.upper()}", value)
    result = CliRunner().invoke(main, ["serve"])
    assert result.exit_code in (1, 2)
    lines = [line for line in result.stderr.splitlines() if not line.startswith("loading")]
    assert len(lines) == 1, result.output
    assert message in lines[0]
    assert lines[0].count(repr(value)) <= 1


def test_a_name_that_no_host_can_have_is_refused_in_words():
    with pytest.raises(ConfigError, match="cannot listen on a+:0: .*; choose another"):
        listen("a" * 70, 0)


def test_every_text_is_tried():
    kinds = {name: allowed(name) for name in Settings.model_fields}
    assert {name for name, kind in kinds.items() if kind.startswith("a text")} == TEXTS


def test_the_ends_of_what_is_allowed_are_allowed():
    ends = {"cache_megabytes": "0", "deadline_seconds": "86400", "max_queued": "0"}
    found = read_settings(**ends)
    assert (found.cache_megabytes, found.deadline_seconds, found.max_queued) == (0, 86_400, 0)
    assert read_settings(cache_megabytes="1e6").cache_megabytes == 1e6


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("TRAJSIM_API_KEY", "TRAJSIM_API_KEYS"),
        ("TRAJSIM_API_KEY_FILE", "TRAJSIM_API_KEYS_FILE"),
        ("TRAJSIM_DEADLINE_SECOND", "TRAJSIM_DEADLINE_SECONDS"),
        ("TRAJSIM_LOGLEVEL", "TRAJSIM_LOG_LEVEL"),
        ("TRAJSIM_VLLM_ATEMPTS", "TRAJSIM_VLLM_ATTEMPTS"),
        ("TRAJSIM_VLLM_APIKEY", "TRAJSIM_VLLM_API_KEY"),
        ("TRAJSIM_VLLM_ENGIN", "TRAJSIM_VLLM_ENGINE"),
        ("TRAJSIM_CACH", "TRAJSIM_CACHE"),
        ("TRAJSIM_CALIBRATIONS", "TRAJSIM_CALIBRATION"),
        ("TRAJSIM_KEEP_ANSWER", "TRAJSIM_KEEP_ANSWERS"),
        ("TRAJSIM_API_KYES", "TRAJSIM_API_KEYS"),
        ("TRAJSIM_MODLE", "TRAJSIM_MODEL"),
        ("TRAJSIM_HOTS", "TRAJSIM_HOST"),
        ("TRAJSIM_MAX_ITEXS", "TRAJSIM_MAX_ITEMS"),
        ("TRAJSIM_MAX_BODS_BYTES", "TRAJSIM_MAX_BODY_BYTES"),
    ],
)
def test_a_misspelt_variable_is_found(name, near):
    names = [name, near, "PATH", name.removeprefix("TRAJSIM_")]
    assert list(misspelt(names, VARIABLES)) == [(name, near)]


@pytest.mark.longer
def test_any_one_slip_is_found():
    """A letter left out, doubled, replaced, or swapped with its neighbour."""
    slips = {
        PREFIX + wrong
        for name in (known.removeprefix(PREFIX) for known in VARIABLES)
        for i in range(len(name))
        for wrong in (
            name[:i] + name[i + 1 :],
            name[:i] + name[i] + name[i:],
            f"{name[:i]}X{name[i + 1 :]}",
            name[:i] + name[i + 1 : i + 2] + name[i] + name[i + 2 :],
        )
    } - VARIABLES
    assert {name for name, _ in misspelt(slips, VARIABLES)} == slips


@pytest.mark.longer
def test_the_hint_of_a_slip_names_what_is_one_slip_away():
    """TRAJSIM_MAX_ITEXS was taken for MAX_TEXTS, and MAX_BODS_BYTES for MAX_BODIES_BYTES."""
    meant = {}
    for known in VARIABLES:
        name = known.removeprefix(PREFIX)
        for i, wrong in product(range(len(name)), "SX"):
            for slip in (
                name[:i] + wrong + name[i + 1 :],
                name[:i] + wrong + name[i:],
                name[:i] + name[i + 1 :],
                name[:i] + name[i + 1 : i + 2] + name[i] + name[i + 2 :],
            ):
                meant.setdefault(PREFIX + slip, set()).add(known)
    found = dict(misspelt(meant, VARIABLES))
    assert found.keys() == meant.keys() - VARIABLES
    assert not [(slip, near) for slip, near in found.items() if near not in meant[slip]]


def test_variables_of_others_are_not_taken_for_misspelt():
    """Those of the library and the deployment, and those that Kubernetes makes of a service."""
    root = Path(__file__).parents[2]
    texts = [
        path.read_text()
        for folder, kind in (("similarity", "*.py"), ("docker", "*"), ("docs/guides", "*.md"))
        for path in (root / folder).rglob(kind)
        if path.is_file()
    ]
    names = set(re.findall(r"TRAJSIM_[A-Z_]*[A-Z]", "\n".join(texts)))
    of_compose = {"TRAJSIM_IMAGE", "TRAJSIM_PUBLISH", "TRAJSIM_CPUS"}
    assert {"TRAJSIM_CACHE", "TRAJSIM_VLLM_REQUEST_TOKENS", *of_compose} <= names
    kubernetes = ("SERVICE_HOST", "SERVICE_PORT", "PORT_8000_TCP", "PORT_8000_TCP_ADDR")
    assert list(misspelt([*names, *(f"TRAJSIM_{name}" for name in kubernetes)], VARIABLES)) == []


def test_the_start_warns_of_a_misspelt_variable(caplog, monkeypatch):
    monkeypatch.setenv("TRAJSIM_DEADLINE_SECOND", "1")
    # What comes next at the start ends it.
    result = CliRunner().invoke(main, ["serve", "--host", "192.0.2.1", "--allow-open", "true"])
    assert "cannot listen on 192.0.2.1" in result.output
    assert (
        "TRAJSIM_DEADLINE_SECOND is no setting and has no effect; did you mean "
        "TRAJSIM_DEADLINE_SECONDS?"
    ) in caplog.text + result.output


def test_a_password_in_an_address_is_shown_nowhere(capfd):
    address = "http://user:SECRET@127.0.0.1:9"
    result = CliRunner().invoke(main, ["serve", "--port", "0", "--model", address])
    assert "give no user or password in the address of 127.0.0.1" in result.output
    assert "SECRET" not in result.output + "".join(capfd.readouterr())


TIMES = sorted(name for name in Settings.model_fields if name.endswith("_seconds"))
TINY = "1e-6"


@pytest.mark.parametrize("name", TIMES)
def test_a_time_too_short_is_refused_with_the_least_that_is_allowed_or_works(name):
    """Some were taken, and the service was never ready, or answered nothing, without a hint."""
    least = re.search(r"^a number of at least (0\.\d+) and at most ", allowed(name))
    if least is not None:
        with pytest.raises(ConfigError, match=re.escape(f"must be {allowed(name)}, got '{TINY}'")):
            read_settings(**{name: TINY})
    settings = read_settings(**{name: TINY if least is None else least[1]})
    values = {name: getattr(settings, name)}
    with running(ToyModel(), **values) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        pair = {"pairs": [["a", "b"]], "n_trajectories": 2, "max_tokens": 3}
        # Where the least is a deadline, a busy machine may need more for one of them.
        assert eventually(lambda: httpx.post(f"{url}/v1/similarity", json=pair).status_code == 200)


@pytest.mark.parametrize(("name", "least"), [("max_body_bytes", 18), ("max_answer_bytes", 22)])
def test_a_bound_by_which_nothing_is_compared_is_refused_at_the_start(name, least):
    """It was taken without a word, and every request was refused."""
    with pytest.raises(ConfigError, match=f"must be a whole number of at least {least} and"):
        read_settings(**{name: str(least - 1)})
    settings = read_settings(**{name: str(least)})
    shortest = {
        "max_body_bytes": ("/v1/similarity", b'{"rows":["a","b"]}'),
        "max_answer_bytes": (
            "/similarity",
            b'{"inputs":{"source_sentence":"a","sentences":["b"]}}',
        ),
    }
    path, body = shortest[name]
    with running(ToyModel(), **{name: getattr(settings, name)}) as url:
        headers = {"content-type": "application/json"}
        answer = httpx.post(f"{url}{path}", content=body, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
