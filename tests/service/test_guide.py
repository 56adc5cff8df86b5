"""The guides of the service name all routes, error codes and metrics that there are."""

import re

from service.http.app import create_app
from service.http.problems import HTTP_CODES, PROBLEMS
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
    for code in {*codes, *HTTP_CODES.values(), "invalid_request", "internal_error"}:
        assert f"`{code}`" in GUIDE, code


def test_every_metric_is_named(client):
    shown = re.findall(r"# TYPE trajsim_(\w+) ", client.get("/metrics").text)
    for name in (name for name in shown if not name.endswith("_created")):
        assert f"`{name}`" in GUIDE, name
