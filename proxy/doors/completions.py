"""`/v1/completions`, the old door: one prompt, or several that have nothing to do with each other."""

from __future__ import annotations

from moosproxy.proxy.bodies.parts import TextPart
from moosproxy.proxy.doors.base import Body, Door, check_model, listed, operation

PROMPT_ROLE = "user"
"""A prompt has no role of its own."""


def texts(body: Body) -> list[TextPart]:
    """The prompts that are text. Lists of tokens, and the suffix that the answer must lead to, are not."""
    prompt = body.get("prompt")
    if isinstance(prompt, str):
        return [TextPart(("prompt",), 0, None, PROMPT_ROLE, prompt)]
    return [
        TextPart(("prompt", index), index, None, PROMPT_ROLE, text)
        for index, text in enumerate(listed(prompt))
        if isinstance(text, str)
    ]


DOOR = Door(
    root="completions",
    paths=frozenset({"/completions"}),
    pages={"/v1/completions": {"post": operation("OpenAI's completions; long prompts are shortened")}},
    texts=texts,
    turns=lambda body: [body.get("prompt")],
    main="prompt",
    check=check_model,
)
