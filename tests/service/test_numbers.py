"""Numbers of requests that are too large or too small: the limit of their own field is named."""

import importlib
import pkgutil
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

import service.http.schemas

MODULES = [
    importlib.import_module(f"{service.http.schemas.__name__}.{one.name}")
    for one in pkgutil.iter_modules(service.http.schemas.__path__)
]
REQUESTS = {
    kind
    for module in MODULES
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, BaseModel) and "Request" in kind.__name__
}


def limited(schema: dict[str, Any]) -> bool:
    """Return whether a field takes a number, which has a limit."""
    return any(
        one.get("type") in ("number", "integer") and len(one.keys() & LIMITS) == 2
        for one in schema.get("anyOf", [schema])
    )


LIMITS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
FIELDS = [
    pytest.param(kind, name, id=f"{kind.__name__}-{name}")
    for kind in sorted(REQUESTS, key=lambda one: (one.__module__, one.__name__))
    for name, schema in kind.model_json_schema()["properties"].items()
    if limited(schema) and name != "max_tokens_per_query"
]


def test_such_fields_are_found():
    assert {"temperature", "top_p", "confidence", "interval", "threshold", "seed"} <= {
        param.values[1] for param in FIELDS
    }


@pytest.mark.parametrize("huge", [10**30, 10**400, -(10**400)], ids=["30", "400", "-400"])
@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_the_limit_of_its_field_is_named(kind, name, huge):
    """A whole number that no float can be was said to be no number."""
    with pytest.raises(ValidationError) as raised:
        kind.model_validate({name: huge})
    (said,) = [one["msg"] for one in raised.value.errors() if one["loc"] == (name,)]
    assert said.startswith(f"Input should be {'less' if huge > 0 else 'greater'} than ")


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("/v1/similarity", {"temperature": 10**400}, "temperature: Input should be less than or"),
        ("/v1/similarity", {"interval": -(10**400)}, "interval: Input should be greater than 0"),
        ("/v1/consensus", {"log_probs": [10**400]}, "log_probs[0] is inf, and a log-probability"),
        ("/v1/consensus", {"log_probs": [-(10**400)]}, "log_probs[0] is -inf, and a log-prob"),
        ("/v1/score", {"truncate_prompt_tokens": 10**400}, "…, and the model takes 4096 tokens"),
    ],
)
def test_so_it_is_in_answers(client, path, content, message):
    least = {
        "/v1/similarity": {"pairs": [["a", "b"]]},
        "/v1/consensus": {"texts": ["a"]},
        "/v1/score": {"text_1": "a", "text_2": "b"},
    }
    answer = client.post(path, json={**least[path], **content})
    assert answer.status_code == 422
    said = answer.json()["error"]["message"]
    assert message in said
    assert len(said) < 200
