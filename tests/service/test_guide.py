"""The guides of the service name all routes, error codes and metrics that there are."""

import json
import re

from service.http.app import create_app
from service.http.problems import HTTP_CODES, PROBLEMS
from service.http.schemas.explanation import ImpliedWordFields, VectorExplanationFields
from service.http.schemas.foreign import FOREIGN_FIELDS
from service.settings import Settings
from similarity.models.toy import ToyModel
from tests.conftest import ROOT

GUIDES = ROOT / "docs" / "guides"
GUIDE = "".join((GUIDES / name).read_text("utf-8") for name in ("serve.md", "switch.md"))


def test_every_route_is_named():
    for path in create_app(Settings(), ToyModel).openapi()["paths"]:
        assert f"{path}`" in GUIDE, path


def test_every_error_code_is_named():
    # Nobody reads the answer to a client that has gone.
    codes = {code for _, _, _, code, _ in PROBLEMS} - {"client_closed_request"}
    codes |= {*HTTP_CODES.values(), "invalid_request", "internal_error", "too_many_connections"}
    codes |= {"invalid_http", "invalid_range", "origin_not_allowed", "host_not_allowed"}
    for code in codes:
        assert f"`{code}`" in GUIDE, code


def test_every_metric_is_named(client):
    shown = re.findall(r"# TYPE trajsim_(\w+) ", client.get("/metrics").text)
    for name in (name for name in shown if not name.endswith("_created")):
        assert f"`{name}`" in GUIDE, name


def _fields(model):
    return {name for name in model.model_fields if name != "method"}


def test_an_explanation_is_shown_and_described_as_it_is_answered():
    page = (GUIDES / "explain.md").read_text("utf-8")
    (shown,) = re.findall(r"```json\n(.*?)```", page, re.S)
    explanation = VectorExplanationFields.model_validate_json(
        json.dumps(json.loads(shown)["explanation"])
    )
    assert explanation.implied is not None
    assert len(explanation.implied.both) == 1
    assert explanation.cosine == round(sum(explanation.shares.values()), 4)
    for name in _fields(VectorExplanationFields) | _fields(ImpliedWordFields) - {"word"}:
        assert f"| `{name}`" in page, name


def test_the_fields_that_are_refused_are_those_of_the_table():
    page = (GUIDES / "switch.md").read_text("utf-8")
    (rows,) = re.findall(r"\| fields \| taken \|\n\|---\|---\|\n((?:\|.*\n)+)", page)
    shown = {}
    for row in rows.splitlines():
        names, taken = row.strip("|").split("|")
        values = [json.loads(value) for value in re.findall(r"`(.+?)`", taken)]
        shown |= dict.fromkeys(re.findall(r"`(.+?)`", names), values)
    assert shown == {name: list(field.harmless) for name, field in FOREIGN_FIELDS.items()}
