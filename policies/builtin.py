"""The set in force when no policy file is configured."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

from moosproxy.policies.model import Policy, Upstream
from moosproxy.policies.resolve import Decision, Matcher, PolicySet, Rule

OPENAI_URL = "https://api.openai.com/v1"


def default_set(environ: Mapping[str, str] | None = None) -> PolicySet:
    """Built-in defaults, no keys, one upstream: OpenAI if OPENAI_API_KEY is in environ, else echo.

    OPENAI_BASE_URL in environ is not read: clients point it at this proxy, which would call itself.
    """
    key = (environ or {}).get("OPENAI_API_KEY", "").strip()
    upstream = (
        Upstream(name="openai", kind="openai", base_url=OPENAI_URL, api_key=SecretStr(key))
        if key
        else Upstream(name="echo", kind="echo")
    )
    decision = Decision(Policy(), "default", (upstream,))
    return PolicySet({None: (Rule(Matcher(), decision),)}, {upstream.name: upstream})
