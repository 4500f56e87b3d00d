"""What a policy and a request ask of the compressor, and the cache keys that follow from it."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from moosproxy.compressor import CompressionSettings
from moosproxy.compressor.settings import parse_kinds
from moosproxy.policies.model import Policy
from moosproxy.proxy.cache.key import KeySpace

MATERIAL_ROLES = frozenset({"tool", "function"})
"""Nobody speaks for the user in what a tool answers."""

MODEL_CHARS = 200
"""A longer name is no model's, and not worth remembering."""


def ratio_of(policy: Policy, wished: float | None) -> float:
    """The ratio of a text: what the request wishes, else the policy's; with a quality it is the most allowed."""
    if wished is not None:
        return float(wished)
    return float(policy.ratio if policy.quality is None or policy.ratio == 1 else policy.max_ratio)


def settings_for(
    policy: Policy, ratio: float | None, alpha: float | None, model: str | None, role: str
) -> CompressionSettings:
    """The compressor's settings for a text of a role. ratio, alpha: the request's own, None for the policy's.

    Raises SettingsError.
    """
    return _settings(
        ratio_of(policy, ratio),
        float(policy.alpha if alpha is None else alpha),
        tuple(sorted(policy.protect)),
        policy.patterns,
        "off" if policy.question == "off" else "auto",
        role in MATERIAL_ROLES,
        policy.unit,
        policy.marks == "on",
        policy.json_mode,
        float(policy.min_savings),
        _tokenizer_of(policy, model),
        policy.quality,
    )


@lru_cache(maxsize=1024)
def key_space(
    team: str | None, fingerprint: str, settings: CompressionSettings, on_error: str, role: str
) -> KeySpace:
    """Keys of texts that are compressed alike.

    on_error parts the policies that pin what circumstances forced from those that reject, and so never pin.
    """
    return KeySpace((team, fingerprint, settings.digest(), on_error, role))


@lru_cache(maxsize=1024)
def _settings(
    ratio: float,
    alpha: float,
    protect: tuple[str, ...],
    patterns: tuple[str, ...],
    question: str,
    material: bool,
    unit: Literal["auto", "sentence", "word"],
    marks: bool,
    json: Literal["lossless", "prose", "rows"],
    min_savings: float,
    tokenizer: str | None,
    quality: float | None,
) -> CompressionSettings:
    return CompressionSettings(
        ratio=ratio,
        alpha=alpha,
        protect=parse_kinds(protect),
        patterns=patterns,
        question=question,
        material=material,
        unit=unit,
        marks=marks,
        json=json,
        min_savings=min_savings,
        tokenizer=tokenizer,
        quality=quality,
    )


def _tokenizer_of(policy: Policy, model: str | None) -> str | None:
    if policy.tokenizer != "auto":
        return policy.tokenizer
    return _encoding_of(model) if model and len(model) <= MODEL_CHARS else None


@lru_cache(maxsize=1024)
def _encoding_of(model: str) -> str | None:
    """Name of the model's encoding, so that models with the same one share answers; None if it is not known."""
    import tiktoken

    try:
        return tiktoken.encoding_name_for_model(model.rsplit("/", 1)[-1])
    except KeyError:
        return None
