"""The set in force when no policy file is configured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import SecretStr

from moosproxy.policies.model import Policy, Upstream
from moosproxy.policies.resolve import Decision, Matcher, PolicySet, Rule, globs

OPENAI_URL = "https://api.openai.com/v1"
ANTHROPIC_URL = "https://api.anthropic.com/v1"


def default_set(environ: Mapping[str, str] | None = None) -> PolicySet:
    """Built-in defaults, no keys: OpenAI, and Anthropic for messages, as environ has a key of them.

    Without OPENAI_API_KEY and ANTHROPIC_API_KEY everything goes to echo. OPENAI_BASE_URL and ANTHROPIC_BASE_URL
    are not read: clients point them at this proxy, which would call itself.
    """
    keys = {name: (environ or {}).get(f"{name.upper()}_API_KEY", "").strip() for name in ("openai", "anthropic")}
    theirs = _upstream("anthropic", ANTHROPIC_URL, keys["anthropic"]) if keys["anthropic"] else None
    rest = _upstream("openai", OPENAI_URL, keys["openai"]) if keys["openai"] else theirs
    rest = rest or Upstream(name="echo", kind="echo")
    rules = [Rule(Matcher(), Decision(Policy(), "default", (rest,)))]
    if theirs is not None and theirs is not rest:
        matcher = Matcher(endpoint=globs(["messages", "messages/*"]))
        rules.insert(0, Rule(matcher, Decision(Policy(), "messages", (theirs,))))
    upstreams = [rule.decision.upstreams[0] for rule in reversed(rules)]
    return PolicySet({None: tuple(rules)}, {upstream.name: upstream for upstream in upstreams})


def _upstream(kind: Literal["openai", "anthropic"], url: str, key: str) -> Upstream:
    return Upstream(name=kind, kind=kind, base_url=url, api_key=SecretStr(key))
