"""What is drawn and alerted on is what the service and vLLM export; Prometheus gets it in truth."""

import json
import re
import signal
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from service.http.connection import TOO_MANY
from service.http.problems import PROBLEMS, problem_of
from similarity.models.toy import ToyModel
from tests.conftest import ROOT
from tests.docker.conftest import MONITORING, Run, need
from tests.service.servers import eventually, running

DASHBOARD = json.loads((MONITORING / "grafana" / "dashboard.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
VLLM_METRICS = Path(__file__).parent / "vllm_metrics.txt"
METRIC = re.compile(r"\b(?:trajsim_|vllm:)[a-z0-9_]+")
LABEL = re.compile(r"(trajsim_[a-z_]+)\{([^}]*)\}")


def drawn() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


def alerted() -> list[str]:
    return [rule["expr"] for rule in RULES]


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """Return the names that a service exports after some work, with the labels of each."""
    names: dict[str, set[str]] = {}
    with running(ToyModel(), max_texts=2) as url:
        pair = {"pairs": [["a", "b"]], "n_trajectories": 2, "max_tokens": 2}
        for body in (pair, pair, {}):
            httpx.post(f"{url}/v1/similarity", json=body)
        text = httpx.get(f"{url}/metrics").text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            names.setdefault(sample.name, set()).update(sample.labels)
    return names


def exported_by_vllm() -> set[str]:
    names = set()
    for family in text_string_to_metric_families(VLLM_METRICS.read_text(encoding="utf-8")):
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
        names |= {family.name + suffix for suffix in suffixes.get(family.type, [""])}
    return names


@pytest.mark.parametrize("expressions", [drawn(), alerted()], ids=["dashboard", "alerts"])
def test_queries_name_metrics_and_labels_that_exist(
    expressions: list[str], exported: dict[str, set[str]]
) -> None:
    named = {name for expression in expressions for name in METRIC.findall(expression)}
    assert len(named) > 5
    assert named <= exported.keys() | exported_by_vllm()
    for expression in expressions:
        for name, matchers in LABEL.findall(expression):
            assert set(re.findall(r"(\w+)[=!]", matchers)) <= exported[name], expression


def test_the_dashboard_shows_all_that_the_service_exports(exported: dict[str, set[str]]) -> None:
    families = {re.sub(r"_(total|bucket|sum|count|created)$", "", name) for name in exported}
    shown = " ".join(drawn())
    assert {family for family in families if family not in shown} == set()


def test_panels_do_not_overlap_and_have_titles() -> None:
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for box in [panel["gridPos"]]
        for x in range(box["x"], box["x"] + box["w"])
        for y in range(box["y"], box["y"] + box["h"])
    ]
    assert len(cells) == len(set(cells))
    titles = [panel["title"] for panel in DASHBOARD["panels"]]
    assert all(titles)
    assert len(titles) == len(set(titles))


def test_every_query_of_the_dashboard_parses(tmp_path: Path, run_tool: Run) -> None:
    rules = [
        {"record": f"query_{number}", "expr": expression.replace("$__rate_interval", "1m")}
        for number, expression in enumerate(drawn())
    ]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}), "utf-8")
    run_tool("promtool", "check", "rules", path)


def test_alerts_parse_and_fire(run_tool: Run) -> None:
    run_tool("promtool", "check", "rules", MONITORING / "alerts.yml")
    run_tool("promtool", "test", "rules", "alerts_test.yml", cwd=MONITORING)


def test_every_alert_is_tested_and_explained() -> None:
    tests = yaml.safe_load((MONITORING / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]
    fired = {
        case["alertname"] for test in tests for case in test["alert_rule_test"] if len(case) == 3
    }
    names = {rule["alert"] for rule in RULES}
    assert fired == names
    page = (ROOT / "docs" / "guides" / "deploy.md").read_text(encoding="utf-8")
    assert {name for name in names if f"`{name}`" not in page} == set()


def counted(rule: dict[str, str]) -> set[str]:
    """Return the codes of failures that a rule counts."""
    found = re.findall(r'trajsim_failures_total\{code=~?"([^"]*)"', rule["expr"])
    return {code for codes in found for code in codes.split("|")}


def test_every_failure_that_is_not_the_clients_is_counted_and_explained() -> None:
    codes = {code for _, status, _, code, _ in PROBLEMS if status >= 500}
    codes |= {problem_of(RuntimeError()).code, TOO_MANY.code}
    # A client has chosen what the model lacks: it would go on, and nobody here could mend it.
    codes -= {"unsupported"}
    of_alerts = {rule["alert"]: counted(rule) for rule in RULES}
    assert codes - set().union(*of_alerts.values()) == set()
    page = (ROOT / "docs" / "guides" / "deploy.md").read_text(encoding="utf-8")
    for alert, wanted in of_alerts.items():
        (row,) = re.findall(rf"^\| `{alert}` .*$", page, re.MULTILINE)
        named = set(re.findall(r"`([a-z_]+)`", row))
        assert wanted <= named or len(wanted) == 1, alert


def test_the_operator_gets_the_same_alerts() -> None:
    rule = yaml.safe_load((MONITORING / "prometheusrule.yaml").read_text(encoding="utf-8"))
    assert rule["spec"] == ALERTS, "make prometheusrule"


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[str]:
    """Serve a model behind a key, and run Prometheus on it with the configuration of compose."""
    program = need("prometheus")
    key = tmp_path / "metrics_key"
    key.write_text("a-key\n", encoding="utf-8")
    with running(ToyModel(), api_keys="another,a-key") as url:
        config = yaml.safe_load((MONITORING / "prometheus.yml").read_text(encoding="utf-8"))
        config["global"]["scrape_interval"] = "1s"
        config["rule_files"] = [str(MONITORING / "alerts.yml")]
        job = config["scrape_configs"][0]
        job["authorization"]["credentials_file"] = str(key)
        # Names of compose's network are not known here.
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [url.removeprefix("http://")]}]
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        yield from started(program, tmp_path)


def started(program: str, folder: Path) -> Iterator[str]:
    """Run Prometheus until the test is over."""
    with running(ToyModel()) as free:
        address = free.removeprefix("http://")
    command = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address={address}"], cwd=folder, stdout=log, stderr=log
        )
        try:
            yield f"http://{address}"
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, textwrap.indent((folder / "log").read_text(), "  ")


def ask(url: str, path: str, **parameters: str) -> dict[str, list[dict[str, object]]]:
    """Return what Prometheus answers; nothing while it starts."""
    try:
        answer = httpx.get(f"{url}/api/v1/{path}", params=parameters)
    except httpx.TransportError:
        return {}
    return dict(answer.json()["data"]) if answer.status_code == 200 else {}


@pytest.mark.slow
def test_prometheus_scrapes_the_service(prometheus: str) -> None:
    def target() -> dict[str, object]:
        targets = ask(prometheus, "targets").get("activeTargets", [])
        return next((each for each in targets if each["scrapePool"] == "trajsim"), {})

    assert eventually(lambda: target().get("health") == "up", 60), target()
    (ready,) = ask(prometheus, "query", query="min(trajsim_ready)")["result"]
    assert ready["value"][1] == "1"  # type: ignore[index]
    groups = ask(prometheus, "rules")["groups"]
    assert [group["name"] for group in groups] == ["trajsim", "vllm"]
