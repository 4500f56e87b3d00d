from __future__ import annotations

from moosproxy.compressor.settings import DEFAULT_PROTECT as COMPRESSORS_DEFAULT
from moosproxy.compressor.settings import CompressionSettings, Kind
from moosproxy.policies.fields.kinds import DEFAULT_PROTECT, KINDS
from moosproxy.policies.model import Policy


def test_kinds_of_protected_text_are_those_that_the_compressor_knows() -> None:
    assert [kind.value for kind in Kind] == list(KINDS)


def test_kinds_protected_by_default_are_the_compressors() -> None:
    assert {kind.value for kind in COMPRESSORS_DEFAULT} == DEFAULT_PROTECT


def test_a_default_policy_asks_for_the_compressors_default_ratio_and_alpha() -> None:
    settings, policy = CompressionSettings(), Policy()
    assert (settings.ratio, settings.alpha, settings.question) == (policy.ratio, policy.alpha, policy.question)
