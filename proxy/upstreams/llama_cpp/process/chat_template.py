"""Messages to one prompt, by the template in the model's own metadata. In the child."""

from __future__ import annotations

import json
from collections.abc import Set
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.ext import loopcontrols
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from moosproxy.proxy.upstreams.llama_cpp.process.marks import Guard
from moosproxy.proxy.upstreams.llama_cpp.process.tools_as_text import described
from moosproxy.proxy.upstreams.local.faults import ModelFault

_ROLES = frozenset({"system", "user", "assistant", "tool"})
_TAKEN = frozenset(
    (
        *("messages", "tools", "functions", "function_call", "tool_choice", "self", "add_generation_prompt"),
        *("eos_token", "bos_token", "raise_exception", "strftime_now"),
    )
)
"""Variables that every template is given, so that no option may be called like one."""
_SAME = {"developer": "system", "function": "tool"}
"""OpenAI's newer and older names, which open models' templates do not know."""


class ChatTemplate:
    """takes_tools: whether the template has a place for tools; else they are told in a system message."""

    def __init__(self, source: str, bos: str, eos: str) -> None:
        """Raises ModelFault where the file's template is none."""
        try:
            parsed = jinja2.Environment(  # noqa: S701 - only parsed, never rendered
                extensions=[Jinja2ChatFormatter.IgnoreGenerationTags, loopcontrols]
            ).parse(source)
            self._formatter = Jinja2ChatFormatter(source, eos, bos)
        except jinja2.TemplateError as fault:
            raise ModelFault("file", f"the model's chat template cannot be read: {fault}") from None
        self._roles = _ROLES | _compared(parsed)
        self.takes_tools = "tools" in meta.find_undeclared_variables(parsed)

    def render(
        self,
        messages: list[dict[str, Any]],
        tools: list[dict[str, Any]] | None,
        options: dict[str, Any],
        guard: Guard,
    ) -> str:
        """The prompt, up to where the answer begins, with what the guard hides. Raises ModelFault.

        options: further variables for the template.
        """
        if taken := sorted(_TAKEN & options.keys()):
            text = f"chat_template_kwargs may not hold {', '.join(taken)}: the template gets it from elsewhere"
            raise ModelFault("request", text, "chat_template_kwargs")
        plain = _plain(messages, self._roles)
        if not self.takes_tools:
            plain, tools = described(plain, tools), None
        hidden = guard.hide(plain), guard.hide(tools), guard.hide(options)
        try:
            rendered = self._formatter(messages=hidden[0], tools=hidden[1], **hidden[2])
        except (jinja2.TemplateError, ValueError, TypeError, KeyError, AttributeError) as fault:
            reason = str(fault) if isinstance(fault, ValueError) else type(fault).__name__
            raise ModelFault("request", f"the model's chat template refuses these messages: {reason}") from None
        return str(rendered.prompt)


def _compared(template: nodes.Template) -> set[str]:
    """The texts that the template compares something with: roles of its own are among them."""
    texts = (
        text.value for comparison in template.find_all(nodes.Compare) for text in comparison.find_all(nodes.Const)
    )
    return {text for text in texts if isinstance(text, str)}


def _plain(messages: list[dict[str, Any]], roles: Set[str]) -> list[dict[str, Any]]:
    """Messages as templates expect them: text as one string, arguments of tool calls as objects."""
    out = []
    for index, message in enumerate(messages):
        role = _role(message, index, roles)
        plain = {**message, "role": role, "content": _text(message.get("content"), index)}
        if plain.get("tool_calls"):
            plain["tool_calls"] = [_call(call) for call in plain["tool_calls"]]
        out.append(plain)
    return out


def _role(message: dict[str, Any], index: int, roles: Set[str]) -> str:
    """One that the template has a place for: it would leave out a message of any other, and say nothing."""
    role = message.get("role")
    if isinstance(role, str) and _SAME.get(role, role) in roles:
        return _SAME.get(role, role)
    place = f"messages[{index}].role"
    raise ModelFault("request", f"{place} must be one of {', '.join(sorted(_ROLES | _SAME.keys()))}", place)


def _text(content: Any, index: int) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        texts = [part.get("text") for part in content if part.get("type") in ("text", "input_text", "refusal")]
        if len(texts) == len(content) and all(isinstance(text, str) for text in texts):
            return "".join(str(text) for text in texts)
    place = f"messages[{index}].content"
    raise ModelFault("request", f"{place}: a local model takes text only", place)


def _call(call: Any) -> Any:
    function = call.get("function") if isinstance(call, dict) else None
    arguments = function.get("arguments") if isinstance(function, dict) else None
    if not isinstance(arguments, str):
        return call
    try:
        return {**call, "function": {**call["function"], "arguments": json.loads(arguments)}}
    except ValueError:
        return call
