"""openapi.yaml is what the application says of itself."""

import json
import re
import subprocess
import sys
from typing import get_args

import yaml
from pydantic import TypeAdapter

from service.http.app import create_app
from service.http.description import render
from service.http.schemas.fields import DistanceName
from service.http.schemas.research import SamplingSettings
from service.http.security import PROBES
from service.settings import Settings
from similarity.estimators.table import WITHOUT_BANK
from similarity.prompts import PROMPTS
from tests.conftest import ROOT


def test_the_checked_in_description_is_current(tmp_path):
    written = tmp_path / "openapi.yaml"
    command = [sys.executable, "-m", "service.http.openapi", str(written)]
    subprocess.run(command, check=True, cwd=ROOT)
    assert (ROOT / "openapi.yaml").read_text("utf-8") == written.read_text("utf-8"), "make openapi"


def test_every_operation_has_a_summary_examples_and_errors():
    description = yaml.safe_load((ROOT / "openapi.yaml").read_text("utf-8"))
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], path
            assert operation["description"], path
            if path not in PROBES:
                assert list(operation["responses"]["401"]["content"]) == ["application/json"], path
            if method == "post":
                assert {"413", "422", "429", "503", "504"} <= set(operation["responses"])


def test_names_are_the_librarys():
    assert list(TypeAdapter(DistanceName).json_schema()["enum"]) == list(WITHOUT_BANK)
    annotation = SamplingSettings.model_fields["prompt"].annotation
    assert list(get_args(annotation)) == list(PROMPTS)


def test_limits_and_keys_are_described_as_they_are_set():
    app = create_app(Settings(max_trajectories=7, api_keys="key"))
    description = yaml.safe_load(render(app))
    schemas = description["components"]["schemas"]
    properties = schemas["PairsRequest"]["properties"]
    assert properties["n_trajectories"]["maximum"] == 7
    # Of 20, which would be refused.
    assert "default" not in properties["n_trajectories"]
    assert properties["max_tokens"]["default"] == 20
    # Of a text, which may have more than a continuation.
    (embed,) = (one for name, one in schemas.items() if name.endswith("cohere_embed__EmbedRequest"))
    assert "maximum" not in embed["properties"]["max_tokens"]
    assert description["paths"]["/v1/similarity"]["post"]["security"] == [{"key": []}]
    assert "security" not in description["paths"]["/health/ready"]["get"]


def _schemas(part, schemas):
    """Return the names of the objects that a part of the description refers to, at any depth."""
    found = set()
    waiting = [part]
    while waiting:
        names = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(waiting.pop())))
        waiting += [schemas[name] for name in names - found]
        found |= names
    return found


def _is_number(field):
    if field.get("type") == "array":
        return _is_number(field.get("items", {}))
    return field.get("type") in ("number", "integer")


def test_every_number_of_its_own_routes_is_described():
    description = yaml.safe_load((ROOT / "openapi.yaml").read_text("utf-8"))
    schemas = description["components"]["schemas"]
    own = [
        operation
        for operations in description["paths"].values()
        for operation in operations.values()
        if "trajsim" in operation["tags"]
    ]
    bare = [
        f"{name}.{field}"
        for name in sorted(_schemas(own, schemas))
        for field, content in schemas[name].get("properties", {}).items()
        if _is_number(content) and not content.get("description")
    ]
    assert bare == []
