"""The compose file, read as YAML: every service is as closed as the proxy."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_is_hardened(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "/tmp" in service["tmpfs"]


def test_redis_has_a_password_from_the_environment_and_no_open_port() -> None:
    redis = SERVICES["redis"]
    script = redis["command"][-1]

    assert redis["environment"]["REDIS_PASSWORD"].startswith("${REDIS_PASSWORD:?")
    assert ":${REDIS_PASSWORD:?" in SERVICES["proxy"]["environment"]["MOOS_REDIS_URL"]
    assert "requirepass" in script
    assert '"$$REDIS_PASSWORD"' in script
    assert "ports" not in redis


def test_images_of_others_have_exact_tags() -> None:
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    others = [service["image"] for service in SERVICES.values() if "build" not in service]
    assert len(others) == 3
    for image in [*bases, *others]:
        assert re.search(r":v?\d+\.\d+\.\d+|@sha256:", image), image


def test_what_compose_mounts_is_here_and_ports_are_open_to_this_machine_alone() -> None:
    for service in SERVICES.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        mounted = [entry.split(":")[0] for entry in service.get("volumes", []) if entry.startswith("./docs")]
        assert [path for path in mounted if not (ROOT / path).exists()] == []


def compose() -> list[str] | None:
    """The command, of either age, where there is one."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and not subprocess.run([*command, "version"], capture_output=True).returncode:
            return command
    return None


@pytest.mark.skipif(compose() is None, reason="no docker compose")
@pytest.mark.parametrize(
    ("profile", "services"),
    [("", {"proxy", "redis"}), ("edge", {"edge"}), ("monitoring", {"grafana", "prometheus"})],
)
def test_compose_takes_the_file_with_every_profile(profile: str, services: set[str]) -> None:
    command = [*(compose() or []), "--file", str(ROOT / "docker-compose.yml"), "--profile", profile, "config"]
    environment = {"PATH": os.environ["PATH"], "REDIS_PASSWORD": "x"}
    found = subprocess.run(command, capture_output=True, text=True, env=environment)

    assert found.returncode == 0, found.stderr
    assert services <= yaml.safe_load(found.stdout)["services"].keys()
