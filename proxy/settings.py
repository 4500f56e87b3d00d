"""Deploy-time settings, from the environment (prefix MOOS_). What differs per team belongs into a policy."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MEBIBYTE = 1024 * 1024
_NAME = re.compile(r"[a-z0-9._-]+")
_HOST = r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::\d+)?"
_HOSTS = rf"rediss?\+{{}}://(?:[^:@/]*:[^@/]*@)?{_HOST}(?:,{_HOST})*"
_SEVERAL = re.compile(f"{_HOSTS.format('cluster')}/?|{_HOSTS.format('sentinel')}/[^/?#]+(?:/\\d+)?")
"""URLs of several Redis servers; what they say is read in `cache.redis.clients`."""


class Settings(BaseSettings):
    """One process's settings. Unknown MOOS_ variables are left to other programs."""

    model_config = SettingsConfigDict(
        env_prefix="MOOS_",
        frozen=True,
        use_attribute_docstrings=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    host: str = "127.0.0.1"
    """Address to listen on; anything but loopback needs keys in the policies."""
    port: int = Field(default=8686, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    workers: int = Field(default=1, ge=1)
    """Worker processes of `moos serve`; each takes its share of limits while they cannot be shared."""
    policies: Path | None = None
    """Policy file or directory; without one the defaults, and OpenAI where OPENAI_API_KEY is set, else `echo`."""
    require_keys: bool = False
    """Never serve without keys, on loopback neither; a `moos serve` that starts with keys sets it for itself."""
    redis_url: SecretStr | None = None
    """`redis://`, `rediss://`, `unix://`, `redis+cluster://` or `redis+sentinel://` URL of what workers share."""
    cache_dir: Path | None = None
    """Folder on a local disk where workers share a cache file; `--workers` makes one where there is no Redis."""
    checkpoint: Path | None = None
    """Checkpoint directory; the bundled one where none is given."""
    calibration: Path | None = None
    """File that predicts what `quality` in policies keeps; the checkpoint's own where none is given."""
    compressor: Literal["on", "off"] = "on"
    """`off` never loads the compressor: everything goes out as it came."""
    compressor_url: str | None = None
    """`http://` or `https://` URLs, with commas, of a compressor tier that is asked instead of an own model."""
    compressor_key: SecretStr | None = None
    """What a tier wants to see of its proxies; `moos serve-compressor` listens beyond loopback with one alone."""
    compressor_fallback: Literal["local", "original"] = "original"
    """Without an answer of the tier: `local` loads an own model then, `original` sends texts as they came."""
    engine: Literal["auto", "onnxruntime", "openvino", "torch"] = "auto"
    """What runs the encoder; `auto` takes onnxruntime wherever the checkpoint has a graph for it."""
    ui: Literal["on", "off"] = "on"
    """The page at `/ui`; where there are keys, its figures need one. `off` serves none."""
    require_compressor: bool = False
    """Report not ready, instead of degraded, while there is no compressor."""
    max_body_bytes: int = Field(default=100 * MEBIBYTE, ge=1024)
    """Largest request body; a larger one is answered with 413."""
    max_bytes_in_flight: int = Field(default=256 * MEBIBYTE, ge=1024)
    """Bytes of request bodies held at once by one worker, memory is about five times that; beyond it 503."""
    body_timeout_s: float = Field(default=20.0, gt=0)
    """Seconds that a body may be slower than `MOOS_BODY_BYTES_PER_S`; after that it is answered with 408."""
    body_bytes_per_s: int = Field(default=1024, ge=1)
    """Least rate of a request body, averaged over `MOOS_BODY_TIMEOUT_S`."""
    max_head_bytes: int = Field(default=32 * 1024, ge=1024)
    """Request line and header fields, without the body; a longer head is answered with 431."""
    max_head_fields: int = Field(default=200, ge=8)
    """Header fields of a request; more are answered with 431."""
    head_timeout_s: float = Field(default=10.0, gt=0)
    """Seconds for the head of a request to be whole; a slower one is answered with 408."""
    idle_timeout_s: float = Field(default=75.0, gt=0)
    """Seconds that a connection without a request stays open."""
    write_timeout_s: float = Field(default=60.0, gt=0)
    """Seconds after which a client that takes nothing of its answer is let go."""
    unready_s: float = Field(default=1.0, ge=0)
    """Seconds from SIGTERM, when `/readyz` turns unready, until new connections are refused."""
    drain_s: float = Field(default=30.0, ge=0)
    """Seconds that answers under way have left after that."""
    max_connections: int = Field(default=10_000, ge=1)
    """Connections of one worker, at most half of its files; whoever waits longest without a request makes room."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level of the JSON log on standard output; requests are logged at info."""
    local_cache_bytes: int = Field(default=64 * MEBIBYTE, ge=MEBIBYTE)
    """Bytes of the in-process cache of kept spans."""
    cache_ttl_s: int = Field(default=7 * 24 * 3600, ge=1)
    """Seconds that kept spans stay in the shared cache."""
    pin_ttl_s: int = Field(default=3600, ge=1)
    """Seconds that a text which a deadline or overload left whole stays whole; a minute in prompts below 2 kB."""
    redis_timeout_ms: float = Field(default=10.0, gt=0)
    """Milliseconds that a request waits for Redis or the cache file; after that it counts as a miss."""
    cache_file_bytes: int = Field(default=256 * MEBIBYTE, ge=MEBIBYTE)
    """Bytes of the cache file; what ran out, then the oldest goes first."""
    max_queued_tokens: int = Field(default=2_000_000, ge=1)
    """Encoder pieces that may wait for the compressor; beyond that requests go out as they came."""
    compressor_threads: int = Field(default=0, ge=0)
    """Threads of the encoder; 0 takes one per physical core."""
    state_dir: Path | None = None
    """Folder of what is measured or counted and kept; `~/.cache/moosproxy` where none is given."""
    ledger: SecretStr | None = None
    """`off`, a path of an SQLite file, or `postgresql://...`; `ledger.sqlite` in the state folder if not given."""
    ledger_days: int = Field(default=30, ge=1, le=36_500)
    """Days that the ledger keeps a row for each request."""
    ledger_hours_days: int = Field(default=400, ge=1, le=36_500)
    """Days that it keeps sums per hour, which pages and reports read."""
    allowed_hosts: str | None = None
    """Names, with commas, that a proxy without keys answers to beside this machine's own; also those of pages."""
    trust_env: bool = False
    """Reach upstreams through HTTP_PROXY, HTTPS_PROXY and NO_PROXY, with credentials from netrc."""
    ca_bundle: Path | None = None
    """PEM file of certificate authorities to trust for upstreams, beside the system's and certifi's."""

    @field_validator("redis_url")
    @classmethod
    def _an_url(cls, value: SecretStr | None) -> SecretStr | None:
        """What redis itself says of a wrong one comes late, and quotes the password."""
        if value is None:
            return value
        text = (
            "must be a URL such as redis://localhost:6379/0, rediss:// for TLS, unix:///path, "
            "redis+cluster://one:6379,two:6379 or redis+sentinel://one:26379,two:26379/NAME-OF-THE-MASTER"
        )
        if _SEVERAL.fullmatch(value.get_secret_value()):
            return value
        try:
            url = urlsplit(value.get_secret_value())
            sound = url.scheme == "unix" or (url.scheme in ("redis", "rediss") and url.port != 0)
        except ValueError:
            raise ValueError(text) from None
        if not sound:
            raise ValueError(text)
        return value

    @field_validator("compressor_url")
    @classmethod
    def _urls(cls, value: str | None) -> str | None:
        if value is not None and not all(_is_bare(url) for url in value.split(",")):
            raise ValueError(
                "must be URLs such as http://compressor:8687, with commas, without path, user and key"
            )
        return value

    @field_validator("compressor_key")
    @classmethod
    def _a_key(cls, value: SecretStr | None) -> SecretStr | None:
        """A secret read from a file ends in a line break, which no header can hold."""
        bare = value.get_secret_value().strip() if value is not None else ""
        return SecretStr(bare) if bare else None

    @property
    def compressor_urls(self) -> list[str]:
        """Those in `compressor_url`."""
        return [url.strip().rstrip("/") for url in (self.compressor_url or "").split(",") if url.strip()]

    @field_validator("allowed_hosts")
    @classmethod
    def _names(cls, value: str | None) -> str | None:
        if value is not None and not all(_NAME.fullmatch(name) for name in _listed(value)):
            raise ValueError("must be names such as moos.example, with commas, without scheme and port")
        return value

    @property
    def allowed_names(self) -> frozenset[str]:
        """The names in `allowed_hosts`, in lower case."""
        return _listed(self.allowed_hosts or "")

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


def _is_bare(url: str) -> bool:
    try:
        parts = urlsplit(url.strip())
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    bare = parts.path in ("", "/") and not parts.query and not parts.fragment
    return sound and bare and "@" not in parts.netloc and " " not in parts.netloc


def _listed(names: str) -> frozenset[str]:
    return frozenset(name.strip().lower() for name in names.split(",") if name.strip())


def proxy_hint(settings: Settings) -> str:
    """What to know where the environment names an HTTP proxy that is not used; empty where it names none."""
    named = [name for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy") if os.environ.get(name)]
    if not named or settings.trust_env:
        return ""
    return f"{named[0]} is set, but only MOOS_TRUST_ENV=true makes the proxy use it"
