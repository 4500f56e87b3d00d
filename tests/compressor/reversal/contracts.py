"""Contracts and policies made of templates, with where each of their sentences stands."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from moosproxy.compressor.text.lexicon import words

TRIGGERS = re.compile(
    r"\b(?:other than|provided(?:,? however,)? that|subject to|prior to|until|only|if|after|no later than|not"
    r"|except|unless|notwithstanding|at least|without|before)\b",
    re.IGNORECASE,
)
CONTENT = re.compile(r"\b[A-Za-z]{5,}\b")

_PARTY = words(
    "Tenant Landlord Supplier Customer Licensee Licensor Contractor Employer Insurer Carrier Agent Borrower"
)
_THING = words("""
    premises equipment documents deposit invoice warehouse software vehicle records inventory parcels machinery
    certificates drawings samples furniture archive terminal generator laboratory
""")
_ACTION = words("""
    inspect repair store deliver sublet insure return replace register clean lease copy move paint sell publish
""")
_TIME = [
    "the first of May",
    "the end of the quarter",
    "the thirtieth day of notice",
    "the date of signature",
    "the following Monday",
    "the annual meeting",
]
_TRIGGERED = """
The {p} may {a} the {t} only with the written consent of the {q}, provided that the consent is kept with the {u}.
Subject to Section 4, the {p} shall {a} the {t} prior to {d}.
If the {p} fails to {a} the {t}, the {q} may do so after {d} at the expense of the {p}.
The {p} hands over the {t} no later than {d}, and the {q} keeps the {u} until then.
No person other than the {p} has access to the {t} and the {u}.
The {q} shall not {a} the {t}, except where the {p} has released the {u} in writing.
Notwithstanding Section 7, the {p} remains liable for the {t} until {d}.
The {p} pays for the {t} after the {q} has sent the {u}, but not before {d}.
Unless agreed otherwise, at least half of the {u} is stored with the {t} of the {q}.
The {p} may, without notice, {a} the {t}; provided, however, that the {q} keeps the {u} until {d}.
""".strip().splitlines()
_PLAIN = """
The {t} of the {p} is kept in a dry room beside the {u} of the {q}.
The {p} lists the {t} and the {u} in a register that both parties sign.
The {q} sends the {u} to the address of the {p} by ordinary mail.
The colour of the {t} follows the catalogue of the {q}.
The {p} and the {q} appoint a common keeper for the {t} and the {u}.
""".strip().splitlines()
_LISTED = "The {p} shall not, without the consent of the {q}:"
_ITEMS = "{a} the {t} or the {u} of the building"


@dataclass(frozen=True)
class Contract:
    """A text and its sentences, as (start, end); heads: the sentence that a list's item goes on from, else -1."""

    text: str
    sentences: tuple[tuple[int, int], ...]
    heads: tuple[int, ...]


def contract(seed: int, size: int = 8000) -> Contract:
    """A text of about `size` characters: numbered sections of clauses, some with a list."""
    rng = random.Random(seed)
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    heads: list[int] = []
    length = 0

    def add(piece: str, *, sentence: bool = True, head: int = -1) -> None:
        nonlocal length
        if sentence:
            spans.append((length, length + len(piece)))
            heads.append(head)
        parts.append(piece)
        length += len(piece)

    section = 0
    while length < size:
        section += 1
        add(f"{section}. {rng.choice(_THING).capitalize()} and {rng.choice(_THING)}\n\n", sentence=False)
        for number in range(rng.randint(3, 6)):
            add(_filled(rng, rng.choice(_TRIGGERED if number % 2 else _PLAIN)))
            add(" ", sentence=False)
        add("\n\n", sentence=False)
        if section % 2:
            add(_filled(rng, _LISTED))
            stem = len(spans) - 1
            for letter in "abcd":
                add(f"\n({letter}) ", sentence=False)
                add(_filled(rng, _ITEMS) + (";" if letter < "d" else "."), head=stem)
            add("\n\n", sentence=False)
    return Contract("".join(parts), tuple(spans), tuple(heads))


def _filled(rng: random.Random, template: str) -> str:
    one, other = rng.sample(_PARTY, 2)
    thing, beside = rng.sample(_THING, 2)
    return template.format(p=one, q=other, t=thing, u=beside, a=rng.choice(_ACTION), d=rng.choice(_TIME))


def lost(source: Contract, kept: list[bool]) -> list[str]:
    """Sentences of which three content words are kept and a trigger is not. kept: for every character."""
    found = []
    for span, head in zip(source.sentences, source.heads, strict=True):
        if _content(source.text, span, kept) < 3:
            continue
        for start, end in (span, source.sentences[head]) if head >= 0 else (span,):
            piece = source.text[start:end]
            if any(not all(kept[start + m.start() : start + m.end()]) for m in TRIGGERS.finditer(piece)):
                found.append(source.text[slice(*span)])
    return found


def _content(text: str, span: tuple[int, int], kept: list[bool]) -> int:
    return sum(all(kept[match.start() : match.end()]) for match in CONTENT.finditer(text, *span))
