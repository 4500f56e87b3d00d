"""How a question about a text is put to a language model, and where its answer begins.

The small model finishes a sentence. A model of conversations needs its own template: the text stands in a message
of the user, the question behind it, and the assistant's turn is the cue to answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

_TEXT, _QUESTION, _ANSWER = "<<text>>", "<<question>>", "<<answer>>"
_ORDER: Final = "Answer in a few words, as the text says it."


@dataclass(frozen=True, slots=True)
class Exchange:
    """before: token ids read ahead of the text. first: what stands before and behind the first question about it.
    later: before and behind every other one, on from the end of the answer. end: the token that ends an answer."""

    tokenizer: Any
    before: tuple[int, ...]
    first: tuple[str, str]
    later: tuple[str, str]
    end: int
    space: str = ""

    @classmethod
    def of(cls, tokenizer: Any) -> Exchange:
        """By the tokenizer's chat template if it names roles, else a plain line."""
        end = int(tokenizer.eos_token_id)
        turns = [
            {"role": "user", "content": f"{_TEXT}\n\n{_ORDER}\n{_QUESTION}"},
            {"role": "assistant", "content": _ANSWER},
            {"role": "user", "content": _QUESTION},
        ]
        said = (
            tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            if _chats(tokenizer)
            else ""
        )
        if "assistant" not in said:
            return cls(tokenizer, (), ("\nQ: ", ""), ("\nQ: ", ""), end, " ")
        before, _, rest = said.partition(_TEXT)
        opening, _, rest = rest.partition(_QUESTION)
        cue, _, rest = rest.partition(_ANSWER)
        # What ends an answer is a token of its own, which the answer brings along.
        ending = tokenizer.convert_ids_to_tokens(end)
        again, _, last = rest.removeprefix(ending).partition(_QUESTION)
        return cls(tokenizer, tuple(cls._ids(tokenizer, before)), (opening, cue), (again, last), end)

    def ask(self, question: str, *, first: bool) -> list[int]:
        """Everything between the text, or the answer before, and this answer."""
        opening, cue = self.first if first else self.later
        return self._ids(self.tokenizer, f"{opening}{question}{cue}")

    def answer(self, answer: str) -> list[int]:
        """The answer and what ends it."""
        return [*self._ids(self.tokenizer, self.space + answer), self.end]

    @staticmethod
    def _ids(tokenizer: Any, text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
        return ids


def _chats(tokenizer: Any) -> bool:
    return bool(getattr(tokenizer, "chat_template", None))
