"""Which text is configuration, and where a file of it ends."""

from __future__ import annotations

import pytest

from moosproxy.compressor.kinds.base import TextKind
from moosproxy.compressor.kinds.blocks import split
from tests.compressor.kinds.config.files import CHART, FILES
from tests.compressor.kinds.kit import kinds


@pytest.mark.parametrize("text", FILES)
def test_a_file_is_told_whole(text: str) -> None:
    assert kinds(text) == [TextKind.CONFIG]
    assert kinds(f"Here it is, as it was found on the machine.\n\n{text}\nIs it any good? I do not know.")[1] is (
        TextKind.CONFIG
    )


@pytest.mark.parametrize("hint", ["yaml", "toml", "ini", "dockerfile", "env", "hcl", "nginx", "properties"])
def test_a_fence_that_names_the_language_is_enough(hint: str) -> None:
    text = f"Look:\n\n```{hint}\nkey value, whatever it may mean.\n# and a remark\n```\n\nThat is all there is."
    found = split(text)
    assert [block.kind for block in found] == [
        TextKind.PROSE,
        TextKind.FENCE,
        TextKind.CONFIG,
        TextKind.FENCE,
        TextKind.PROSE,
    ]
    assert text[found[2].start : found[2].end] == "key value, whatever it may mean.\n# and a remark"


PROSE = [
    "Note: this is a sentence.\nAnother: so is this one, and it goes on.\nThird: it ends here.\nFourth: yes, it does.",
    "Ingredients:\n- two eggs, beaten well\n- some flour from the shop\n\nSteps:\n- Mix them all.\n- Bake the cake.",
    "From: Anna\nTo: Ben\nSubject: The roof is leaking again\nDate: Monday\n\nDear Ben, it has rained all night.",
    "# Report\n\nThe roof leaks. The porter knows.\n\n## Details\n\nIt has rained all night, and the cellar is wet.",
    "Roses are red\nViolets are blue\nSugar is sweet\nAnd so are you\nThe end is near\nSo is the beer",
    "We have x = 3 in the first case. Then y = 4 follows.\nSo z = 5, as was to be shown.",
    "Buy milk\nCall Anna\nPay rent\nWater plants\nFix bike\nWrite letter",
    "FROM the first day on it rained.\nRUN, said the porter, and they ran to the house.",
    "[1] Smith, The Roof, 1999.\n[2] Jones, The Cellar, 2001.\n[3] Brown, Rain, 2004.",
    "server {who serves}, location unknown: the waiter said he would come back; he did not.",
]


@pytest.mark.parametrize("text", PROSE)
def test_prose_that_looks_like_settings_is_none(text: str) -> None:
    assert TextKind.CONFIG not in kinds(text)


def test_prose_behind_a_file_is_not_part_of_it() -> None:
    text = f"{CHART}\nThe file above is wrong: please say why. Note: I have not written it.\n\n- it is long\n- it is old"
    assert split(text)[0].end <= len(CHART)
