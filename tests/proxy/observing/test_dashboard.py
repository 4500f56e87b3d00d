"""The dashboard and the alert rules: their tools take them, and every name in them is one that the proxy has."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.parser import text_string_to_metric_families

from moosproxy.proxy.bench.sides import free_port
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.wire import ask, chat, fresh, long_text

ROOT = Path(__file__).parents[3]
DASHBOARD = ROOT / "docs" / "grafana" / "moosproxy.json"
ALERTS = ROOT / "docs" / "prometheus" / "alerts.yml"
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}

needs_prometheus = pytest.mark.skipif(
    shutil.which("promtool") is None or shutil.which("prometheus") is None,
    reason="no promtool: apt-get install prometheus",
)


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return found


def panels() -> dict[str, list[str]]:
    """The expressions of each panel, by its title."""
    shown = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
    return {panel["title"]: [target["expr"] for target in panel["targets"]] for panel in shown}


def rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"][0]["rules"]
    return found


def expressions() -> list[str]:
    """All of both files, and what the dashboard asks for its lists to choose from."""
    lists = [entry["query"] for entry in dashboard()["templating"]["list"] if entry["type"] == "query"]
    return [*chain.from_iterable(panels().values()), *(rule["expr"] for rule in rules()), *lists]


def filled(expression: str) -> str:
    """As Grafana sends it."""
    for name, value in (("__rate_interval", "10s"), ("__range", "1m"), ("team", ".*"), ("model", ".*")):
        expression = expression.replace(f"${name}", value)
    return expression.replace("$route", ".*")


def leaves(value: Any, path: str = "") -> set[tuple[str, str]]:
    """Every value of a document with its place."""
    if isinstance(value, dict):
        return {leaf for key, inner in value.items() for leaf in leaves(inner, f"{path}/{key}")}
    if isinstance(value, list):
        return {leaf for at, inner in enumerate(value) for leaf in leaves(inner, f"{path}/{at}")}
    return {(path, repr(value))}


def run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


async def test_every_metric_exists(proxy: LiveProxy) -> None:
    page = (await ask(proxy.port, b"", "/metrics", "GET")).body.decode()
    families = text_string_to_metric_families(page)
    known = {family.name + suffix for family in families for suffix in SUFFIXES[family.type]}
    used = {name for expression in expressions() for name in re.findall(r"\bmoos_\w+", expression)}

    assert used - known == set()
    assert {name.removesuffix("_bucket") for name in used} >= {"moos_tokens_total", "moos_proxy_seconds"}


async def test_every_metric_stands_on_its_page_with_its_labels(proxy: LiveProxy) -> None:
    page = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(moos_\w+)` \| (.*?) \|", page, re.MULTILINE))
    await ask(proxy.port, chat("echo", long_text(100)))
    shown = (await ask(proxy.port, b"", "/metrics", "GET")).body.decode()
    families = [one for one in text_string_to_metric_families(shown) if not one.name.endswith("_created")]
    names = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    labels = {name: set(found) - {"le"} for family in families for name, found, *_ in family.samples}

    assert names == set(rows)
    for name in names & labels.keys():
        assert set(re.findall(r"`(\w+)`", rows[name])) == labels[name], name


def test_grafanas_own_types_know_every_field_of_the_dashboard() -> None:
    register_default_plugins()
    written = dashboard()
    read = json.loads(json.dumps(Dashboard.from_json(written), cls=JSONEncoder))

    assert {(path, value) for path, value in leaves(written) - leaves(read) if value != "[]"} == set()


def test_panels_have_places_of_their_own_and_say_what_they_show() -> None:
    found = dashboard()["panels"]
    taken = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in found
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]

    assert len(taken) == len(set(taken))
    assert all(x < 24 for x, _ in taken)
    assert len({panel["id"] for panel in found}) == len(found) == len({panel["title"] for panel in found})


def test_alerts_say_how_bad_it_is_and_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


@needs_prometheus
def test_promtool_takes_the_rules_and_the_dashboards_expressions(tmp_path: Path) -> None:
    shown = [filled(expression) for expression in chain.from_iterable(panels().values())]
    records = [{"record": f"shown:{number}", "expr": expression} for number, expression in enumerate(shown)]
    file = tmp_path / "dashboard.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": records}]}))
    for checked, number in ((ALERTS, len(rules())), (file, len(records))):
        found = run("promtool", "check", "rules", str(checked))
        assert found.returncode == 0, found.stderr
        assert f"{number} rules found" in found.stdout


@needs_prometheus
def test_promtool_takes_the_configuration_of_the_compose_profile(tmp_path: Path) -> None:
    folder = shutil.copytree(ALERTS.parent, tmp_path / "prometheus")
    config, key = folder / "prometheus.yml", tmp_path / "metrics.key"
    key.touch()
    config.write_text(config.read_text().replace("/etc/moos/metrics.key", str(key)))
    found = run("promtool", "check", "config", str(config))

    assert found.returncode == 0, found.stderr + found.stdout


@needs_prometheus
def test_each_alert_fires_on_what_it_is_for(tmp_path: Path) -> None:
    for file in (ALERTS, Path(__file__).with_name("alerts_test.yml")):
        shutil.copy(file, tmp_path / file.name)
    found = run("promtool", "test", "rules", "alerts_test.yml", cwd=tmp_path)

    assert found.returncode == 0, found.stderr + found.stdout


# What a healthy proxy without teams has nothing of.
EMPTY = {
    "Faults of the shared cache",
    "Refused by a limit or a budget",
    "Warnings of budgets",
    "Too much for the compressor",
}


class Prometheus:
    """A real server that scrapes a proxy every second."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, free_port()
        jobs = [{"job_name": "moosproxy", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}]
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(ALERTS)],
            "scrape_configs": jobs,
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    def __enter__(self) -> Prometheus:
        options = [f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data"]
        command = ["prometheus", *options, f"--web.listen-address=127.0.0.1:{self.port}"]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(10)

    def get(self, path: str, **arguments: str) -> Any:
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def values(self, expression: str) -> list[float]:
        return [float(found["value"][1]) for found in self.get("query", query=expression)["result"]]


@pytest.mark.slow
@needs_prometheus
def test_a_real_prometheus_shows_every_panel_and_evaluates_every_alert(
    proxy: LiveProxy, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    def traffic() -> None:
        for model in (fresh("panel"), "dead", "echo"):
            asyncio.run(ask(proxy.port, chat(model, long_text(100), long_text(100))))

    with Prometheus(tmp_path, proxy.port) as server:
        until = time.monotonic() + 60
        empty = set(panels())
        while empty - EMPTY and time.monotonic() < until:
            traffic()
            time.sleep(1)
            try:
                empty = {
                    title
                    for title, shown in panels().items()
                    if not all(server.values(filled(one)) for one in shown)
                }
            except OSError:
                continue  # it has not come up
        groups = server.get("rules")["groups"]

    assert empty <= EMPTY
    assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}
    assert sum(len(group["rules"]) for group in groups) == len(rules())
