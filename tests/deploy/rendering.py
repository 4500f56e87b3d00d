"""Renders the chart with the real helm; `make helm` fetches it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "moosproxy"
REQUIRED = "helm" in os.environ.get("MOOS_TEST_REQUIRE", "").split(",")
HELM = shutil.which("helm") or shutil.which("helm", path=str(Path(sys.executable).parent))

needs_helm = pytest.mark.skipif(HELM is None and not REQUIRED, reason="no helm: `make helm` fetches it")

Manifest = dict[str, Any]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs helm in folders that are no user's."""
    assert HELM, "no helm: `make helm` fetches it"
    return subprocess.run([HELM, *arguments], capture_output=True, text=True)


@lru_cache
def render(*values: str) -> tuple[Manifest, ...]:
    """Every manifest of a release named `r`, with `--set` values."""
    options = [option for value in values for option in ("--set", value)]
    found = helm("template", "r", str(CHART), "--namespace", "moos", *options)
    assert found.returncode == 0, found.stderr
    return tuple(manifest for manifest in yaml.safe_load_all(found.stdout) if manifest)


def of_kind(manifests: tuple[Manifest, ...], kind: str) -> dict[str, Manifest]:
    """By name."""
    return {each["metadata"]["name"]: each for each in manifests if each["kind"] == kind}


def pods(manifests: tuple[Manifest, ...]) -> dict[str, Manifest]:
    """Pod templates by the name of what makes them; of a RayService those of its head and its workers."""
    made = {f"{e['kind']} {e['metadata']['name']}": e["spec"]["template"] for e in manifests if _makes_pods(e)}
    for name, service in of_kind(manifests, "RayService").items():
        cluster = service["spec"]["rayClusterConfig"]
        made[f"head {name}"] = cluster["headGroupSpec"]["template"]
        made |= {f"{group['groupName']} {name}": group["template"] for group in cluster["workerGroupSpecs"]}
    return made


def _makes_pods(manifest: Manifest) -> bool:
    return manifest["kind"] in ("Deployment", "StatefulSet")
