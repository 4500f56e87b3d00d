"""The compose file, read as YAML: every service is as closed as the proxy."""

from __future__ import annotations

import re
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
    for image in [*bases, SERVICES["redis"]["image"]]:
        assert re.search(r":\d+\.\d+\.\d+|@sha256:", image), image
