"""What a model's tokens cost: the policy file's own prices, else the list prices that litellm keeps.

A trimmed snapshot of litellm's map is in the package; where a newer litellm is installed, its map is read instead.
Which list holds is told by the upstream's address. Amounts are whole trillionths of a dollar, so sums are exact.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from moosproxy.policies.fields.prices import ModelPrice
from moosproxy.policies.model import Upstream
from moosproxy.proxy.log import LOG

SNAPSHOT = Path(__file__).with_name("prices.json")
"""Provider -> model -> trillionths of a dollar a token: input, output, cached, written, written for an hour, least
tokens of a cached prompt, tokens from which on a prompt costs more, and its input, output, cached."""
LITELLM_FILE = "model_prices_and_context_window_backup.json"
_HOSTS = {
    "api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "api.deepseek.com": "deepseek",
    "api.mistral.ai": "mistral",
    "generativelanguage.googleapis.com": "gemini",
    "api.groq.com": "groq",
    "api.x.ai": "xai",
    "openrouter.ai": "openrouter",
    "api.together.xyz": "together_ai",
    "api.fireworks.ai": "fireworks_ai",
    "api.cohere.com": "cohere",
}
_HERE = frozenset({"llama_cpp", "transformers", "echo"})
_AZURE = ".openai.azure.com"
_DATE = re.compile(r"-(20\d\d-?\d\d-?\d\d|latest)$")
_MOST_NAMES = 4096


@dataclass(frozen=True, slots=True)
class Rules:
    """How a provider's cache counts. step: cached tokens come in multiples of it. least: a shorter prompt is never
    cached. automatic: without marks in the request."""

    step: int = 1
    least: int = 1024
    automatic: bool = True


_RULES = {"openai": Rules(128), "azure": Rules(128), "deepseek": Rules(64, 64)}
_MARKED = Rules(automatic=False)
_BY_MARKS = frozenset({"anthropic", "bedrock"})


@dataclass(frozen=True, slots=True)
class Price:
    """Trillionths of a dollar a token. written: into the cache, written_1h: for an hour.

    long_from: tokens of a prompt from which on `long` holds. label: the same for people, dollars a million tokens.
    """

    input: int
    output: int
    cached: int
    written: int
    written_1h: int
    rules: Rules = Rules()
    long_from: int | None = None
    long: tuple[int, int, int] = (0, 0, 0)
    label: str = ""

    def at(self, tokens: int) -> Price:
        """The price of a prompt of so many tokens."""
        if self.long_from is None or tokens <= self.long_from:
            return self
        put, out, cached = self.long
        written = self.written * put // max(self.input, 1)
        written_1h = self.written_1h * put // max(self.input, 1)
        return replace(
            self, input=put, output=out, cached=cached, written=written, written_1h=written_1h, long_from=None
        )


class PriceBook:
    """Finds prices. Reads its list when first asked, which takes a moment."""

    def __init__(self, models: Mapping[str, Mapping[str, list[int | None]]] | None = None) -> None:
        """models: in the form of the snapshot, for tests; else the newest list at hand."""
        self._models = models

    def of(self, upstream: Upstream, model: str | None, answered: str | None = None) -> Price | None:
        """The price of a model as the request names it, or as the answer does; None where none is known."""
        sent = upstream.model_for(model) if model else None
        names = [name for name in (sent, model, answered) if name]
        for name in names:
            for pattern, own in upstream.prices.items():
                if fnmatchcase(name, pattern):
                    return _own(name, own, _rules(*provider_of(upstream, name)))
        listed = (self._listed(upstream, name) for name in (answered, sent) if name)
        return next((price for price in listed if price is not None), None)

    def load(self) -> None:
        """Reads the list, which takes a moment."""
        if self._models is None:
            self._models = newest()

    def cache_least(self, upstream: Upstream, model: object) -> int:
        """Tokens below which the provider caches no prompt; 0 where there is no provider."""
        if not isinstance(model, str) or upstream.kind in _HERE:
            return 0
        price = self.of(upstream, model)
        return (price.rules if price else _rules(*provider_of(upstream, upstream.model_for(model)))).least

    def _listed(self, upstream: Upstream, name: str) -> Price | None:
        provider, bare = provider_of(upstream, name)
        if provider is None:
            return None
        self.load()
        models = (self._models or {}).get(provider, {})
        row = models.get(bare) or models.get(_DATE.sub("", bare))
        return _price(provider, bare, tuple(row)) if row else None


def provider_of(upstream: Upstream, name: str) -> tuple[str | None, str]:
    """Whose list holds for a model at an upstream, as litellm calls them, and the model's name in it."""
    if upstream.kind in _HERE:
        return None, name
    if upstream.kind == "litellm":
        head, slash, rest = name.partition("/")
        given = upstream.price_provider
        return (given or head, rest) if slash else (given or _guessed(name), name)
    if upstream.price_provider:
        return upstream.price_provider, name
    host = urlsplit(upstream.base_url or "").hostname or ""
    return "azure" if host.endswith(_AZURE) else _HOSTS.get(host), name


def _guessed(name: str) -> str:
    return "anthropic" if name.startswith("claude") else "openai"


def _rules(provider: str | None, name: str) -> Rules:
    marked = provider in _BY_MARKS or "claude" in name
    return _MARKED if marked else _RULES.get(provider or "", Rules())


@lru_cache(maxsize=_MOST_NAMES)
def _price(provider: str, name: str, row: tuple[int | None, ...]) -> Price:
    padded = list(row) + [None] * (10 - len(row))
    put, out, cached, written, written_1h, least, long_from, *long = padded
    put, out = put or 0, out or 0
    cached = put if cached is None else cached
    written = put if written is None else written
    rules = _rules(provider, name)
    return Price(
        put, out, cached, written, written if written_1h is None else written_1h,
        replace(rules, least=least) if least else rules,
        long_from, (long[0] or put, long[1] or out, long[2] or cached),
        _label(f"{provider}/{name}", put, cached, written, out),
    )  # fmt: skip


@lru_cache(maxsize=_MOST_NAMES)
def _own(name: str, own: ModelPrice, rules: Rules) -> Price:
    put = _pico(own.input)
    cached = put if own.cached is None else _pico(own.cached)
    written = put if own.written is None else _pico(own.written)
    written_1h = written if own.written_1h is None else _pico(own.written_1h)
    if own.cache_min_tokens is not None:
        rules = replace(rules, least=own.cache_min_tokens)
    label = _label(f"policy:{name}", put, cached, written, _pico(own.output))
    return Price(put, _pico(own.output), cached, written, written_1h, rules, label=label)


def _pico(dollars_a_million: float) -> int:
    return int((Decimal(str(dollars_a_million)) * 1_000_000).to_integral_value())


def _label(name: str, put: int, cached: int, written: int, out: int) -> str:
    shown = (f"{word} {Decimal(value) / 1_000_000:f}" for word, value in
             (("input", put), ("cached", cached), ("written", written), ("output", out)))  # fmt: skip
    return f"{name[:100]}: {', '.join(shown)}"


def newest() -> Mapping[str, Mapping[str, list[int | None]]]:
    """The list of an installed litellm if that is newer than the snapshot, else the snapshot."""
    shipped: dict[str, Any] = orjson.loads(SNAPSHOT.read_bytes())
    try:
        installed = version("litellm")
        if _numbers(installed) > _numbers(shipped["litellm"]):
            return trimmed(_litellm_map(), every=True)
    except PackageNotFoundError:
        pass
    except (OSError, ValueError, TypeError, AttributeError) as fault:
        LOG.warning("litellm's prices not read", extra={"fields": {"reason": type(fault).__name__}})
    models: dict[str, dict[str, list[int | None]]] = shipped["models"]
    return models


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _litellm_map() -> dict[str, Any]:
    """As the installed package ships it. The package itself is not imported: that takes seconds."""
    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(LITELLM_FILE)
    found: dict[str, Any] = json.loads(Path(spec.origin).with_name(LITELLM_FILE).read_bytes(), parse_float=Decimal)
    return found


MAIN = frozenset(
    {
        "openai", "anthropic", "azure", "gemini", "vertex_ai-language-models", "vertex_ai-anthropic_models",
        "deepseek", "mistral", "xai", "groq", "cohere", "cohere_chat", "bedrock", "bedrock_converse",
        "together_ai", "fireworks_ai",
    }
)  # fmt: skip
"""Providers in the snapshot."""
_ALIKE = {"bedrock_converse": "bedrock", "cohere_chat": "cohere"}
_MODES = frozenset({"chat", "embedding", "responses", "completion"})
_FIELDS = (
    "input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost",
    "cache_creation_input_token_cost", "cache_creation_input_token_cost_above_1hr",
)  # fmt: skip
_LONG = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")


def trimmed(found: Mapping[str, Any], *, every: bool = False) -> dict[str, dict[str, list[int | None]]]:
    """litellm's map in the form of the snapshot. every: all providers, not only the main ones."""
    out: dict[str, dict[str, list[int | None]]] = {}
    for name, entry in found.items():
        provider = entry.get("litellm_provider") if isinstance(entry, dict) else None
        if not provider or entry.get("mode") not in _MODES or not (every or provider in MAIN):
            continue
        if entry.get("input_cost_per_token") is None:
            continue
        provider = str(_ALIKE.get(provider, provider)).partition("-")[0]
        prices = [_of_token(entry.get(field)) for field in _FIELDS]
        if not prices[3]:  # a provider that charges nothing for writing charges for reading: the list says 0
            prices[3] = prices[4] = None
        least = entry.get("prompt_cache_min_tokens")
        row = [*prices, None if least is None else int(least), *_long_prices(entry)]
        while row[-1] is None:
            row.pop()
        out.setdefault(provider, {})[name.removeprefix(f"{provider}/")] = row
    return out


def _long_prices(entry: Mapping[str, Any]) -> list[int | None]:
    steps = sorted(int(match[1]) for match in map(_LONG.fullmatch, entry) if match)
    if not steps:
        return [None] * 4
    names = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost")
    return [steps[0] * 1000, *(_of_token(entry.get(f"{name}_above_{steps[0]}k_tokens")) for name in names)]


def _of_token(dollars: Any) -> int | None:
    return None if dollars is None else int((Decimal(str(dollars)) * 10**12).to_integral_value())


def main() -> None:
    """Writes the snapshot from the litellm that is installed: `make prices`."""
    content = {"litellm": version("litellm"), "models": trimmed(_litellm_map())}
    lines = json.dumps(content, separators=(",", ":"), sort_keys=True).replace("],", "],\n")
    SNAPSHOT.write_text(lines + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
