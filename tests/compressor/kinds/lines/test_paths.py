"""Lists of paths and names: whole lines, one of each folder first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compressor.kinds.kit import check_rows, kinds, left, units_of

FOLDERS = ("src/app", "src/errors", "tests/rules", "docs/guide", "scripts")
NAMES = (
    "Makefile",
    "index",
    "README",
    "error_codes.py",
    "loader.py",
    "config",
    "types.pyi",
    "Dockerfile",
    "LICENSE",
)
TRACKED = "\n".join(f"{folder}/{name}" for folder in FOLDERS for name in NAMES)
PLAIN = "\n".join(f"{name}{n}" for name in NAMES[:3] for n in range(20))
TREE = ".\n├── src\n│   ├── app.py\n│   └── loader.py\n└── tests\n    └── test_app.py"


@pytest.mark.parametrize(
    "text",
    [
        TRACKED,
        PLAIN,
        "\n".join("./" + path for path in TRACKED.split("\n")),
        "\n".join("C:\\work\\" + path.replace("/", "\\") for path in TRACKED.split("\n")),
        " M src/app.py\n D src/legacy.py\n?? src/notes.txt\nA  src/new.py\n",
        "a.py\nb.py\nc.txt\nd.md\n",
    ],
)
def test_each_list_is_one_block(text: str) -> None:
    assert kinds(text) == ["paths"]
    check_rows(text, units_of(text))


def test_a_tree_is_a_list() -> None:
    assert "paths" in kinds(TREE)


@pytest.mark.parametrize(
    "text",
    [
        "It rained.\nIt poured.\nThe old man snored.\nHe went to bed.\n",
        "Yes\nNo\nMaybe\n",
        "and/or is a word that lawyers like; either/or is one that they do not.\n" * 4,
        "- apples\n- pears\n- plums\n- figs\n- dates\n",
    ],
)
def test_words_in_lines_are_no_paths(text: str) -> None:
    assert "paths" not in kinds(text)


def test_one_path_of_each_folder_and_what_is_asked_for_stay() -> None:
    assert {path.rsplit("/", 1)[0] for path in left(TRACKED, 4)} == set(FOLDERS)
    assert "docs/guide/types.pyi" in left(TRACKED, 10, "What is in guide/types.pyi?")


@given(
    st.lists(st.text(st.sampled_from("abcé.-_"), min_size=1, max_size=9), min_size=4, max_size=80),
    st.sampled_from([2, 3, 8]),
)
def test_lines_stay_whole(names: list[str], ratio: float) -> None:
    text = "\n".join(f"lib/{name}/x.py" for name in names)
    if kinds(text) == ["paths"]:
        assert set(left(text, ratio)) <= set(text.split("\n"))


@given(st.text(st.sampled_from("a/.\\: \n"), max_size=300))
def test_nothing_that_it_may_hold_is_a_fault(text: str) -> None:
    assert kinds(text) is not None
    assert kinds(f"{TRACKED}\n{text}")[0] == "paths"
