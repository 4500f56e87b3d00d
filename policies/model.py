"""What a policy and an upstream are once every layer has been merged. Values only: nothing reads a file."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

import regex
from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BeforeValidator,
    Field,
    JsonValue,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from moosproxy.policies.fields.endpoints import DEFAULT_ENDPOINTS
from moosproxy.policies.fields.kinds import DEFAULT_PROTECT, Kind, Role
from moosproxy.policies.fields.local import GgufModel, LocalLimits
from moosproxy.policies.fields.prices import ModelPrice
from moosproxy.policies.fields.soft import HfModel, Soft, SoftWire
from moosproxy.policies.fields.strict import Count, Seconds, Strict, not_bool


def _regular_expression(pattern: str) -> str:
    if not pattern:
        raise ValueError("is empty: it would match everywhere")
    try:
        regex.compile(pattern)
    except regex.error as fault:
        raise ValueError(f"is not a regular expression: {fault}") from None
    return pattern


# The bounds stand before the validator, or the JSON Schema would lose them.
Ratio = Annotated[float, Field(ge=1, le=100, allow_inf_nan=False), BeforeValidator(not_bool)]
Floor = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False), BeforeValidator(not_bool)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), BeforeValidator(not_bool)]
Milliseconds = Annotated[int, Field(ge=1, le=600_000), BeforeValidator(not_bool)]
Pattern = Annotated[str, AfterValidator(_regular_expression)]


class PolicyFields(Strict):
    """The fields that every layer of a policy may set, with the built-in defaults."""

    enabled: bool = True
    """Whether anything is compressed at all."""
    ratio: Ratio = 2.0
    """Original tokens / sent tokens that compression aims at; 4 keeps a quarter, 1 changes nothing."""
    quality: Floor | None = None
    """Least share of answers to keep: each text gets the highest ratio up to `max_ratio` that is predicted to."""
    alpha: Share = 0.9
    """Weight of the classifier against the outlier score; 1 is the classifier alone."""
    compress_roles: frozenset[Role] = frozenset({"user", "tool", "function"})
    """Roles whose text may be compressed."""
    protected_roles: frozenset[Role] = frozenset({"system", "developer", "assistant"})
    """Roles whose text is never touched; a role in both lists is a fault."""
    question: Literal["auto", "text", "off"] = "auto"
    """Score against the question beside a text, else (`auto`) before it; what is to be translated stays whole."""
    unit: Literal["auto", "sentence", "word"] = "auto"
    """What stays or goes: whole ones with `sentence`; `auto` thins plain sentences too; `word` is the paper's."""
    marks: Literal["on", "off"] = "on"
    """Whether a short mark such as `[… 37 lines]` tells what was left out."""
    json_mode: Literal["lossless", "prose", "rows"] = "prose"
    """What goes from JSON: white space, `prose` in long strings too, whole `rows` of long arrays too."""
    min_tokens: Count = 300
    """Texts shorter than this many tokens go out as they are."""
    min_savings: Share = 0.1
    """Share of a text's tokens that must be saved, or the original goes out; where it cannot be, no model runs."""
    max_ratio: Ratio = 4.0
    """Highest ratio that a header may ask for or `quality` take; the policy's own may always be asked for."""
    min_alpha: Share = 0.5
    """Lowest alpha that a request header may ask for; the policy's own alpha is always allowed."""
    max_alpha: Share = 1.0
    """Highest alpha that a request header may ask for; the policy's own alpha is always allowed."""
    allow_bypass: bool = True
    """Whether a request header may switch compression off, or ask for a ratio below the policy's own."""
    deadline_ms: Milliseconds = 5000
    """Milliseconds that compression of one request may take; what is not done by then goes out as it is."""
    on_error: Literal["forward", "reject"] = "forward"
    """When compression fails: `forward` the original, or `reject` the request."""
    cost_aware: bool = False
    """Leave a text alone where a shorter prompt would be too short for the provider's cache, and so cost more."""
    holdout: Share = 0.0
    """Share of conversations that go out untouched as a control group; a conversation never changes sides."""
    holdout_salt: str = ""
    """Mixed into the choice of `holdout`: another salt chooses other conversations."""
    shadow: bool = False
    """Measure compression, forward the original; `x-moos-shadow` and the log say what would have been sent."""
    forward_caller_key: bool = False
    """Send the caller's own key to the upstream instead of the upstream's key."""
    fit_context: bool = False
    """Whether a prompt too long for a local model is shortened harder, up to `max_ratio`, until it fits."""
    break_even: bool = True
    """Leave a text alone where shortening it takes longer than a local model saves, as measured once per model."""
    soft: Soft | None = None
    """Soft compression by an upstream of kind `transformers`, in the place of any other; null for none."""
    endpoints: frozenset[Annotated[str, Field(min_length=1)]] = DEFAULT_ENDPOINTS
    """What teams reach: names for calls that leave nothing at the provider, or globs over paths (`files*`)."""
    tokenizer: Annotated[str, Field(min_length=1)] | None = "auto"
    """Tokenizer that counts: `auto` the model's, a name fixes it, null the compressor's or a local model's own."""


class Policy(PolicyFields):
    """How one request is treated: every layer merged, every value checked."""

    name: str = "default"
    """The named policy that this one was built from; `default` where none is named."""
    protect: frozenset[Kind] = DEFAULT_PROTECT
    """Kinds of text that are never cut."""
    patterns: tuple[Pattern, ...] = ()
    """Regular expressions whose matches are never cut."""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        for _, reason in contradictions(self):
            raise ValueError(reason)
        return self


def contradictions(policy: PolicyFields) -> list[tuple[tuple[str, str], str]]:
    """Pairs of fields that say things against each other, each with the reason in words for its author."""
    out: list[tuple[tuple[str, str], str]] = []
    both = sorted(policy.compress_roles & policy.protected_roles)
    if both:
        reason = f"{', '.join(both)} is in compress_roles and in protected_roles: take it out of one"
        out.append((("compress_roles", "protected_roles"), reason))
    if policy.min_alpha > policy.max_alpha:
        reason = f"min_alpha {policy.min_alpha:g} is above max_alpha {policy.max_alpha:g}"
        out.append((("min_alpha", "max_alpha"), reason))
    if policy.holdout and policy.fit_context:
        reason = "holdout sends prompts whole, and fit_context is for those that must not be: set one of them"
        out.append((("holdout", "fit_context"), reason))
    if policy.holdout and policy.soft is not None:
        reason = "holdout does not know soft compression: set one of them"
        out.append((("holdout", "soft"), reason))
    if policy.quality is not None and policy.unit == "word":
        reason = "quality needs unit auto or sentence: nothing is predicted for loose words"
        out.append((("quality", "unit"), reason))
    return out


class Timeouts(Strict):
    """How long to wait for an upstream, in seconds, phase by phase."""

    connect_s: Seconds = 10.0
    """For the connection to stand."""
    first_byte_s: Seconds = 600.0
    """From the request to the first byte of the answer; an unstreamed answer is generated in this time."""
    read_s: Seconds = 120.0
    """The longest silence between two chunks of an answer."""
    total_s: Seconds | None = None
    """For everything; null for no bound."""


def _upstream_url(value: str) -> str:
    try:
        url = TypeAdapter(AnyHttpUrl).validate_python(value)
    except ValidationError:
        raise ValueError("must be a URL such as https://api.openai.com/v1") from None
    if url.username or url.password:
        raise ValueError("must not hold a user name or password: use api_key or headers")
    if url.query or url.fragment:
        raise ValueError("must not hold a query or a fragment")
    return value.rstrip("/")


def _blank_is_none(value: Any) -> Any:
    """`${OPENAI_API_KEY:-}` of an unset variable means no key."""
    return None if value == "" else value


def _header_name(value: str) -> str:
    if not regex.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", value):
        raise ValueError("is not a header name")
    return value.lower()


def _header_value(value: SecretStr) -> SecretStr:
    if any(character in value.get_secret_value() for character in "\r\n\0"):
        raise ValueError("must not hold line breaks")
    return value


HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[SecretStr, AfterValidator(_header_value)]


class UpstreamFields(Strict):
    """A place where requests go, as a policy file describes it under its name."""

    kind: Annotated[
        Literal["openai", "anthropic", "litellm", "llama_cpp", "transformers", "echo"],
        Field(
            description="`openai` and `anthropic` relay the wire format of either, `litellm` reaches the others "
            "(extra `providers`), `llama_cpp` runs GGUF files on this machine, `transformers` Hugging Face "
            "models with soft compression, `echo` answers the prompt."
        ),
    ]
    base_url: Annotated[str, AfterValidator(_upstream_url)] | None = None
    """The address that `/chat/completions` or `/messages` is put behind, such as https://api.openai.com/v1."""
    api_key: Annotated[HeaderValue | None, BeforeValidator(_blank_is_none)] = None
    """The upstream's own key, usually `${NAME}` of an environment variable."""
    headers: Annotated[Mapping[HeaderName, HeaderValue], Field(exclude=True)] = {}
    """Headers to send along; names in lower case, values treated as secrets."""
    model_map: Mapping[str, str] = {}
    """Name or glob in the request -> the upstream's; an exact name wins, then own models, then the first glob."""
    model_prefix: str = ""
    """Put before every model name that `model_map` does not name, such as `anthropic/`."""
    params: Annotated[Mapping[str, JsonValue], Field(exclude=True, repr=False)] = {}
    """Further arguments of litellm's completion call, such as `api_version`."""
    models: Mapping[Annotated[str, Field(min_length=1)], GgufModel] = {}
    """For `llama_cpp` the model files, by the names that requests ask for."""
    hf_models: Mapping[Annotated[str, Field(min_length=1)], HfModel] = {}
    """For `transformers` the model directories, by the names that requests ask for."""
    soft_wire: SoftWire | None = None
    """`prompt_embeds`: `transformers` compresses here, and a vLLM server at `base_url` reads what comes of it."""
    endpoints: frozenset[Literal["chat", "responses", "messages"]] | None = None
    """Of `openai`: which of `chat`, `responses`, `messages` it has; others are mapped onto chat. null: all."""
    prices: Mapping[Annotated[str, Field(min_length=1)], ModelPrice] = {}
    """Name or glob of a model -> what it costs, before any list of prices; the first that fits counts."""
    price_provider: Annotated[str, Field(min_length=1)] | None = None
    """Whose list prices hold, as litellm calls the provider (`openai`); null: whose address `base_url` is."""
    limits: LocalLimits = LocalLimits()
    """For `llama_cpp` what its models may take together."""
    timeouts: Timeouts = Timeouts()
    """How long to wait for it."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind in ("openai", "anthropic") and self.base_url is None:
            raise ValueError(f"kind {self.kind} needs a base_url, such as https://api.{self.kind}.com/v1")
        if self.kind == "echo" and (self.base_url or self.api_key):
            raise ValueError("kind echo goes nowhere: leave out base_url and api_key")
        if self.endpoints is not None and (self.kind != "openai" or "chat" not in self.endpoints):
            raise ValueError(
                "endpoints are for kind openai, and chat must be among them: the others are mapped onto it"
            )
        if self.kind != "litellm" and self.params:
            raise ValueError("params are for kind litellm")
        if (self.kind == "llama_cpp") != bool(self.models):
            raise ValueError("kind llama_cpp needs models, and no other kind takes them")
        if self.kind == "llama_cpp" and (self.base_url or self.api_key):
            raise ValueError("kind llama_cpp runs here: leave out base_url and api_key")
        if (self.kind == "transformers") != bool(self.hf_models):
            raise ValueError("kind transformers needs hf_models, and no other kind takes them")
        if self.soft_wire is not None and (self.kind != "transformers" or self.base_url is None):
            raise ValueError("soft_wire is for kind transformers, with the server's base_url")
        if self.kind == "transformers" and self.soft_wire is None and (self.base_url or self.api_key):
            raise ValueError("kind transformers runs here: leave out base_url and api_key, or set soft_wire")
        return self


class Upstream(UpstreamFields):
    """A place where requests go. Its secrets show as asterisks in any repr and are left out of any dump."""

    name: Annotated[str, Field(min_length=1)]
    """How routes call it."""

    def model_for(self, model: str) -> str:
        """The upstream's name of the model that the request names."""
        if model in self.model_map:
            return self.model_map[model]
        if model in self.models or model in self.hf_models:
            return model
        for pattern, target in self.model_map.items():
            if fnmatchcase(model, pattern):
                return target
        return self.model_prefix + model
