"""What helm makes of the chart in each mode, held against Kubernetes' own schemas and the proxy's settings."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from moosproxy import __version__
from moosproxy.policies.files.load import load
from moosproxy.proxy.opening.on_ray import WATCHED, Scale
from moosproxy.proxy.routes.pages import OPEN
from moosproxy.proxy.settings import Settings
from tests.deploy.rendering import CHART, Manifest, helm, needs_helm, of_kind, pods, render

pytestmark = needs_helm

MODES: dict[str, tuple[str, ...]] = {
    "default": (),
    "own databases": ("redis.urlSecret.name=redis", "ledger.urlSecret.name=ledger"),
    "no tier": ("compressor.mode=none", "redis.builtin.enabled=false"),
    "ray": ("compressor.mode=ray", "compressor.ray.version=2.50.0"),
    "fixed": ("proxy.autoscaling.enabled=false", "compressor.autoscaling.enabled=false"),
    "teams": ("policies.teams.search=keys: []", "policies.teams.hr=keys: []"),
    "theirs": ("policies.existingConfigMap=mine", "imagePullSecrets={a}", "proxy.env.MOOS_UI=off"),
    "open": ("networkPolicy.enabled=false",),
}
OLDEST, NEWEST = "1.27", "1.37"
every_mode = pytest.mark.parametrize("mode", MODES)


def made(mode: str) -> tuple[Manifest, ...]:
    return render(*MODES[mode])


def containers(mode: str) -> dict[str, Manifest]:
    return {name: pod["spec"]["containers"][0] for name, pod in pods(made(mode)).items()}


def variables(container: Manifest) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container.get("env", [])}


def selects(selector: dict[str, str], pod: Manifest) -> bool:
    return selector.items() <= pod["metadata"]["labels"].items()


@every_mode
def test_helm_lints_the_chart(mode: str) -> None:
    options = [option for value in MODES[mode] for option in ("--set", value)]
    found = helm("lint", "--strict", str(CHART), *options)

    assert found.returncode == 0, found.stdout + found.stderr


@every_mode
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_knows_every_field(mode: str, version: str) -> None:
    known = [manifest for manifest in made(mode) if manifest["kind"] != "RayService"]
    assert known
    for manifest in known:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_would_be_seen() -> None:
    wrong = json.loads(json.dumps(of_kind(made("default"), "Deployment")["r-proxy"]))
    wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}

    with pytest.raises(kubernetes_validate.ValidationError, match="readinesProbe"):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)


@every_mode
def test_every_selector_finds_the_pods_of_its_name_alone(mode: str) -> None:
    templates = pods(made(mode))
    for manifest in made(mode):
        spec, name = manifest.get("spec", {}), manifest["metadata"]["name"]
        selector = spec.get("podSelector") or spec.get("selector")
        if not selector:
            continue
        found = [who for who, pod in templates.items() if selects(selector.get("matchLabels", selector), pod)]
        assert found and all(who.endswith(f" {name}") for who in found), (manifest["kind"], name)


@every_mode
def test_autoscalers_and_services_point_to_what_is_there(mode: str) -> None:
    manifests = made(mode)
    for scaler in of_kind(manifests, "HorizontalPodAutoscaler").values():
        target = scaler["spec"]["scaleTargetRef"]
        (workload,) = [
            e for e in manifests if e["kind"] == target["kind"] and e["metadata"]["name"] == target["name"]
        ]
        assert "replicas" not in workload["spec"]  # each upgrade would undo what the autoscaler did
        assert scaler["spec"]["minReplicas"] <= scaler["spec"]["maxReplicas"]
    for name, service in of_kind(manifests, "Service").items():
        (container,) = [c for who, c in containers(mode).items() if who.endswith(f" {name}")]
        ports = {port["name"] for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@every_mode
def test_probes_ask_for_pages_that_need_no_key(mode: str) -> None:
    for name, container in containers(mode).items():
        probes = {each: container[each] for each in container if each.endswith("Probe")}
        paths = {each: probe["httpGet"]["path"] for each, probe in probes.items() if "httpGet" in probe}
        if name.startswith("Deployment"):
            assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
        assert set(paths.values()) <= OPEN


@every_mode
def test_every_variable_is_a_setting_and_takes_its_value(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {f"MOOS_{field.upper()}" for field in Settings.model_fields}
    for container in containers(mode).values():
        ours = {name: value for name, value in variables(container).items() if name.startswith("MOOS_")}
        assert ours.keys() <= known
        with monkeypatch.context() as environment:
            for name, value in ours.items():
                environment.setenv(name, value if isinstance(value, str) else "redis://from-a-secret")
            Settings()


@every_mode
def test_the_grace_period_is_longer_than_the_drain(mode: str) -> None:
    for name, pod in pods(made(mode)).items():
        if name.startswith("Deployment"):
            given = variables(pod["spec"]["containers"][0])
            ends = float(given["MOOS_UNREADY_S"]) + float(given["MOOS_DRAIN_S"])
            assert pod["spec"]["terminationGracePeriodSeconds"] > ends


@every_mode
def test_every_pod_is_closed(mode: str) -> None:
    for name, pod in pods(made(mode)).items():
        spec, (container,) = pod["spec"], pod["spec"]["containers"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]
        volumes = {volume["name"] for volume in spec["volumes"]}
        mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
        assert {mount["name"] for mount in mounts.values()} == volumes and "/tmp" in mounts
        if not name.startswith(("head", "compressors")):  # Ray asks the API server where it scales
            assert spec["automountServiceAccountToken"] is False


@every_mode
def test_no_secret_is_made_or_stands_in_the_open(mode: str) -> None:
    assert not of_kind(made(mode), "Secret")
    for config in of_kind(made(mode), "ConfigMap").values():
        assert not re.search(r"sk-[\w-]{8,}|://[^/\s:]*:[^@\s$]+@", "".join(config["data"].values()))
    for container in containers(mode).values():
        given = variables(container)
        assert isinstance(given.get("REDIS_PASSWORD", {}), dict)
        assert "://:$(REDIS_PASSWORD)@" in str(given.get("MOOS_REDIS_URL")) or not isinstance(
            given.get("MOOS_REDIS_URL"), str
        )


def test_the_chart_is_of_this_version() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == __version__


def test_databases_of_ones_own_come_from_secrets_and_bring_no_redis() -> None:
    given = variables(containers("own databases")["Deployment r-proxy"])

    assert given["MOOS_REDIS_URL"] == {"secretKeyRef": {"name": "redis", "key": "url"}}
    assert given["MOOS_LEDGER"] == {"secretKeyRef": {"name": "ledger", "key": "url"}}
    assert not of_kind(made("own databases"), "StatefulSet")


@pytest.mark.parametrize("mode", ["default", "teams"])
def test_the_policies_as_they_are_mounted_are_good(mode: str, tmp_path: Path) -> None:
    pod = pods(made(mode))["Deployment r-proxy"]["spec"]
    (mount,) = [mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "policies"]
    volume = next(volume["configMap"] for volume in pod["volumes"] if volume["name"] == "policies")
    data = of_kind(made(mode), "ConfigMap")[volume["name"]]["data"]
    for item in volume.get("items", [{"key": key, "path": key} for key in data]):
        file = tmp_path / item["path"]
        file.parent.mkdir(exist_ok=True)
        file.write_text(data[item["key"]])

    assert mount["mountPath"] == variables(pod["containers"][0])["MOOS_POLICIES"]
    assert "subPath" not in mount  # Kubernetes never renews such a file
    policies = load(tmp_path, {"OPENAI_API_KEY": "x"})
    assert set(policies.upstreams) == {"openai"}
    assert sorted(file.name for file in tmp_path.glob("teams/*")) == (
        ["hr.yaml", "search.yaml"] if mode == "teams" else []
    )


def test_the_tier_is_reached_by_proxies_alone_and_proxies_reach_what_they_need() -> None:
    rules = of_kind(made("default"), "NetworkPolicy")
    (way_in,) = rules["r-compressor"]["spec"]["ingress"]
    templates = pods(made("default"))

    (peer,) = way_in["from"]
    assert selects(peer["podSelector"]["matchLabels"], templates["Deployment r-proxy"])
    assert not rules["r-compressor"]["spec"].get("egress")
    to = [
        peer["podSelector"]["matchLabels"]
        for rule in rules["r-proxy"]["spec"]["egress"]
        for peer in rule.get("to", [])
    ]
    reached = {who for who, pod in templates.items() for selector in to if selects(selector, pod)}
    assert reached == {"Deployment r-compressor", "StatefulSet r-redis"}


@pytest.mark.parametrize(("mode", "url"), [("default", "http://r-compressor:8687"), ("no tier", None)])
def test_proxies_are_told_where_the_tier_is(mode: str, url: str | None) -> None:
    given = variables(containers(mode)["Deployment r-proxy"])

    assert given.get("MOOS_COMPRESSOR_URL") == url
    if url:
        service = of_kind(made(mode), "Service")["r-compressor"]
        assert url.endswith(f":{service['spec']['ports'][0]['port']}")
        assert service["spec"]["clusterIP"] == "None"  # a proxy resolves the name to every replica
        key = {"secretKeyRef": {"name": "moosproxy-tier", "key": "key"}}
        tier = variables(containers(mode)["Deployment r-compressor"])
        assert given["MOOS_COMPRESSOR_KEY"] == tier["MOOS_COMPRESSOR_KEY"] == key


def test_rays_application_is_named_and_its_own_file_is_yaml() -> None:
    service = of_kind(made("ray"), "RayService")["r-compressor"]
    (application,) = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]

    module, name = application["import_path"].split(":")
    assert callable(getattr(importlib.import_module(module), name))
    given = {name: int(value) for name, value in application["args"].items()}
    assert dataclasses.replace(Scale(), **given) == Scale(least=2, most=50, tokens=8000)
    found = helm("template", "r", str(CHART), "--set", "compressor.mode=ray")
    assert found.returncode and "compressor.ray.version" in found.stderr


def test_a_lost_machine_is_soon_called_dead_by_rays_head() -> None:
    env = {name: variables(container) for name, container in containers("ray").items()}

    assert WATCHED.items() <= env["head r-compressor"].items()
    assert not WATCHED.keys() & env["compressors r-compressor"].keys()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("compressor.mode=knative", "compressor/mode"),
        ("proxy.replica=3", "replica"),
        ("proxy.env.OPENAI_API_KEY=sk-x", "OPENAI_API_KEY"),
        ("compressor.fallback=none", "fallback"),
        ("redis.url=redis://:pw@host", "url"),
    ],
)
def test_a_wrong_value_is_named(value: str, said: str) -> None:
    found = helm("template", "r", str(CHART), "--set", value)

    assert found.returncode and said in found.stderr
