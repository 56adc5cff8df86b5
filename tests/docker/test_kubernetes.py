"""The manifests: valid, restricted, and consistent with each other and with the service."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import Settings
from tests.docker.conftest import DEPLOY_ENV, KUBERNETES, MONITORING, Run, need
from tests.docker.test_compose import SERVICES as COMPOSE
from tests.docker.test_compose import flags, required_flags

OVERLAYS = ["cpu", "gpu", "evaluation"]
OPERATOR_KINDS = ["ServiceMonitor", "PrometheusRule"]
Manifest = dict[str, Any]


def read(path: Path) -> list[Manifest]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def written() -> list[Manifest]:
    """Return the manifests as files have them, which needs no kustomize."""
    names = ["service", "vllm", "evaluation"]
    paths = sorted(path for name in names for path in (KUBERNETES / name).glob("*.yaml"))
    return [each for path in paths for each in read(path) if each["kind"] != "Kustomization"]


@pytest.fixture(params=OVERLAYS)
def built(request: pytest.FixtureRequest, run_tool: Run, tmp_path: Path) -> Path:
    """Return the file of what kubectl makes of an overlay."""
    path = tmp_path / f"{request.param}.yaml"
    path.write_text(run_tool("kubectl", "kustomize", KUBERNETES / request.param), encoding="utf-8")
    return path


WORKLOADS = [each for each in written() if each["kind"] in ("Deployment", "StatefulSet", "Job")]


def test_overlays_are_valid(built: Path, run_tool: Run) -> None:
    said = run_tool("kubernetes-validate", "--strict", built)
    unknown = [line for line in said.splitlines() if "INFO" not in line]
    assert all(any(kind in line for kind in OPERATOR_KINDS) for line in unknown), unknown


def test_overlays_name_no_image_without_a_tag(built: Path) -> None:
    for manifest in read(built):
        if manifest["kind"] in ("Deployment", "StatefulSet", "Job"):
            pod = manifest["spec"]["template"]["spec"]
            for container in pod["containers"] + pod.get("initContainers", []):
                assert (
                    container["image"].rpartition(":")[2][:1].isdigit()
                    or ":v" in container["image"]
                )


@pytest.mark.parametrize("name", ["servicemonitors.yaml", "prometheusrule.yaml"])
def test_what_the_operator_reads_is_valid(name: str, tmp_path: Path) -> None:
    models = DEPLOY_ENV / "node" / "node_modules" / "@kubernetes-models" / "prometheus-operator"
    if not models.is_dir():
        pytest.skip("needs npm's @kubernetes-models/prometheus-operator: make deploy-env")
    for manifest in read(MONITORING / name):
        kind = manifest["kind"]
        module = (models / "monitoring.coreos.com" / "v1" / f"{kind}.js").as_uri()
        program = (
            f"import {{ {kind} }} from {module!r}; new {kind}({json.dumps(manifest)}).validate();"
        )
        command = [need("node"), "--input-type=module", "--eval", program]
        result = subprocess.run(command, check=False, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr


def pod_of(workload: Manifest) -> Manifest:
    return dict(workload["spec"]["template"]["spec"])


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda each: each["metadata"]["name"])
def test_a_pod_keeps_to_the_restricted_standard(workload: Manifest) -> None:
    pod = pod_of(workload)
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"].keys() >= {"cpu", "memory"}


def test_a_pod_of_our_image_has_a_place_for_models_of_a_hub_and_fitted_scales() -> None:
    (ray,) = read(KUBERNETES / "ray" / "rayjob.yaml")
    cluster = ray["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    pods = [*map(pod_of, WORKLOADS), *(dict(group["template"]["spec"]) for group in groups)]
    ours = [pod for pod in pods if pod["containers"][0]["image"].startswith("trajsim")]
    assert len(ours) == 4
    for pod in ours:
        mounts = {one["mountPath"]: one["name"] for one in pod["containers"][0]["volumeMounts"]}
        (volume,) = (one for one in pod["volumes"] if one["name"] == mounts["/cache"])
        assert "emptyDir" in volume


def test_a_pod_is_replaced_without_dropping_requests() -> None:
    (deployment,) = (each for each in WORKLOADS if each["kind"] == "Deployment")
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    pod = pod_of(deployment)
    (container,) = pod["containers"]
    pause = float(container["lifecycle"]["preStop"]["exec"]["command"][-1])
    settings = Settings()
    needed = pause + settings.drain_seconds + settings.grace_seconds
    assert pod["terminationGracePeriodSeconds"] > needed
    # The probe is what takes a pod out of service; a slow model must not restart it.
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"


def test_variables_are_settings() -> None:
    for workload in WORKLOADS:
        for container in pod_of(workload)["containers"]:
            for variable in container.get("env", []):
                name = variable["name"]
                if name.startswith("TRAJSIM_"):
                    assert name.removeprefix("TRAJSIM_").lower() in Settings.model_fields


def test_services_select_the_pods_there_are() -> None:
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in WORKLOADS]
    manifests = written() + read(MONITORING / "servicemonitors.yaml")
    for manifest in manifests:
        selector = manifest.get("spec", {}).get("selector") or manifest["spec"].get("podSelector")
        if selector:
            assert selector.get("matchLabels", selector) in labels, manifest["metadata"]


def test_the_service_spreads_over_all_servers_of_vllm() -> None:
    (vllm,) = (each for each in WORKLOADS if each["kind"] == "StatefulSet")
    (patch,) = read(KUBERNETES / "gpu" / "service.yaml")
    (container,) = pod_of(patch)["containers"]
    addresses = [f"http://vllm-{i}.vllm:8000" for i in range(vllm["spec"]["replicas"])]
    assert container["env"] == [{"name": "TRAJSIM_MODEL", "value": ",".join(addresses)}]


def test_vllm_is_started_as_in_compose_and_on_its_page() -> None:
    (vllm,) = (each for each in WORKLOADS if each["kind"] == "StatefulSet")
    (container,) = pod_of(vllm)["containers"]
    given = flags(container["args"])
    assert given["--no-enable-prefix-caching"] == ""
    for name in ("--generation-config", "--dtype"):
        assert given[name] == flags(COMPOSE["vllm"]["command"])[name]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert required_flags().items() <= given.items()


def test_the_autoscaler_follows_a_metric_that_the_service_exports() -> None:
    (autoscaler,) = (each for each in written() if each["kind"] == "HorizontalPodAutoscaler")
    (metric,) = autoscaler["spec"]["metrics"]
    dashboard = (MONITORING / "grafana" / "dashboard.json").read_text(encoding="utf-8")
    assert f"sum({metric['pods']['metric']['name']})" in dashboard
