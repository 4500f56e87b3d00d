"""An invented world to read about: facts in templates among filler, and questions that the text alone answers.

Half of a text is facts ("the home of Mara Velt is garden pale ."), the rest filler that nobody asks about. A
fifth of the names and of the values are held out: no training text or answer holds them. So are one wording of the
facts and one of the questions. Every word stands between spaces, so a text's tokens are the tokens of its words.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final, Literal

Split = Literal["train", "held_out"]

# fmt: off
_FIRST: Final = (
    "Mara", "Toby", "Ines", "Olaf", "Petra", "Yuri", "Nadia", "Hugo", "Lena", "Omar", "Vera", "Ivan",
    "Rosa", "Emil", "Dana", "Karl", "Ada", "Finn", "Gita", "Noel", "Uma", "Sven", "Tess", "Rolf",
)
_LAST: Final = (
    "Velt", "Dorn", "Kask", "Brand", "Lund", "Moss", "Reed", "Stone", "Hale", "Frost", "West", "Lake",
    "Ford", "Wood", "Cole", "Marsh", "Bell", "Nash", "Pike", "Rook", "Shaw", "Tate", "Vane", "Wolf",
)
# fmt: on
# A value is two words, as in "garden pale". All attributes share the second words: the first gives none away.
# fmt: off
_MODIFIERS: Final = (
    "pale", "dark", "warm", "deep", "dull", "soft", "light", "faint", "north", "south", "old", "new",
    "young", "great", "little", "cold", "hot", "plain", "brave", "shy", "quick", "tame", "wild", "proud",
)
_NOUNS: Final = {
    "colour": ("green", "blue", "red", "grey", "brown", "pink", "white", "gold"),
    "home": ("haven", "port", "field", "hill", "bridge", "mill", "ferry", "garden"),
    "trade": ("baker", "tailor", "painter", "clerk", "judge", "sailor", "smith", "cook"),
    "pet": ("cat", "dog", "horse", "goat", "parrot", "rabbit", "turtle", "fox"),
    "dish": ("rice", "soup", "bread", "fish", "beans", "eggs", "pie", "cake"),
    "number": ("one", "two", "three", "four", "five", "six", "seven", "eight"),
}
# fmt: on
ATTRIBUTES: Final = tuple(_NOUNS)
_FACTS: Final = {
    "train": ("the {a} of {e} is {v} .", "as for {a} , {e} is {v} .", "in {a} {e} is {v} ."),
    "held_out": ("with {a} , as they say , {e} is {v} .",),
}
# A question is a sentence to be finished.
_QUESTIONS: Final = {
    "train": ("the {a} of {e} is", "as for {a} , {e} is", "in {a} {e} is"),
    "held_out": ("with {a} , {e} is",),
}
_FILLER: Final = (
    ("road", "river", "wind", "rain", "train", "market", "night", "street"),
    ("was", "is", "seemed", "stayed", "became", "looked"),
    ("quiet", "slow", "empty", "long", "clear", "calm"),
    ("in the morning", "all day", ",", "as they say", "since then", "at times", "once more"),
)
# One name in five and one value in five; the rule spreads them over every word.
_HELD_OUT: Final = 5


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a text says and a question can ask for."""

    entity: str
    attribute: str
    value: str

    def told(self, template: str) -> str:
        """The fact in words."""
        return template.format(a=self.attribute, e=self.entity, v=self.value)


@dataclass(frozen=True, slots=True)
class World:
    """Draws texts and questions. names: which part of the names and values is used; wording: of the templates."""

    names: Split = "train"
    wording: Split = "train"

    def facts(self, count: int, rng: Random) -> list[Fact]:
        """`count` facts, no (entity, attribute) twice. Entities have two facts on average, so both are needed."""
        entities = [_draw(_FIRST, _LAST, self.names, rng) for _ in range(max(2, count // 2))]
        keys = [(entity, attribute) for entity in dict.fromkeys(entities) for attribute in ATTRIBUTES]
        chosen = rng.sample(keys, count)
        return [Fact(entity, name, _draw(_NOUNS[name], _MODIFIERS, self.names, rng)) for entity, name in chosen]

    def statement(self, fact: Fact, rng: Random) -> str:
        """The fact as a sentence."""
        return fact.told(rng.choice(_FACTS[self.wording]))

    def question(self, fact: Fact, rng: Random) -> str:
        """A question that the fact answers."""
        return fact.told(rng.choice(_QUESTIONS[self.wording]))

    def filler(self, rng: Random) -> str:
        """A sentence that no question asks about."""
        noun, verb, state, when = (rng.choice(words) for words in _FILLER)
        return f"the {noun} {verb} {state} {when} ."


def _draw(left: tuple[str, ...], right: tuple[str, ...], split: Split, rng: Random) -> str:
    while True:
        i, j = rng.randrange(len(left)), rng.randrange(len(right))
        if ((i + 2 * j) % _HELD_OUT == 0) == (split == "held_out"):
            return f"{left[i]} {right[j]}"


def is_held_out(pair: str) -> bool:
    """Whether a name or value of two words belongs to the part that training never sees."""
    for left, right in ((_FIRST, _LAST), *((nouns, _MODIFIERS) for nouns in _NOUNS.values())):
        first, second = pair.split()
        if first in left and second in right:
            return (left.index(first) + 2 * right.index(second)) % _HELD_OUT == 0
    raise ValueError(f"not a name or value of this world: {pair}")


def corpus(sentences: int, seed: int) -> list[str]:
    """Sentences and questions of the training part, to build a tokenizer from."""
    rng, world = Random(seed), World()
    lines = []
    for _ in range(sentences):
        fact = world.facts(1, rng)[0]
        lines += [
            " " + world.statement(fact, rng),
            " " + world.filler(rng),
            f"\nQ: {world.question(fact, rng)}\nA: {fact.value}",
        ]
        lines.append("\nRepeat:\n")
    return lines
