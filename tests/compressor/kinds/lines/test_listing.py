"""Columns of blanks: whole rows below their header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.compressor.kinds.blocks import split
from tests.compressor.kinds.kit import check_rows, kinds, left, units_of

FILES = "total 184\n" + "\n".join(
    f"{'drwxr-xr-x  14' if n % 7 == 3 else '-rw-r--r--   1'} mira  staff  {n * 911:6} Sep {n % 28 + 1:2} 09:26 "
    f"file{n}.md"
    for n in range(40)
)
FOLDERS = f"src:\n{FILES}\n\nsrc/inner:\n{FILES}"
DISKS = (
    "Filesystem      Size  Used Avail Use% Mounted on\n"
    "/dev/sda2        40G   37G  1.1G  98% /\n"
    "/dev/sdb1       200G   12G  178G   7% /var\n"
    "/dev/mapper/volume-of-the-archive  1.0T  990G   10G  99% /home"
)
STATES = {3: "0/1     CrashLoopBackOff   37", 19: "1/2     Error              3 "}
PODS = "NAME              READY   STATUS             RESTARTS   AGE\n" + "\n".join(
    f"api-7c9d5b-{n:05}  {STATES.get(n, '1/1     Running            0 ')}         {n}d" for n in range(30)
)
CONTAINERS = (
    "CONTAINER ID   IMAGE          STATUS                   NAMES\n"
    "0a1b2c3d4e5f   web:1.2        Up 3 hours (unhealthy)   web\n"
    "1a1b2c3d4e5f   worker:1.2     Up 3 hours               worker\n"
    "2a1b2c3d4e5f   cache:7        Exited (137) 2 days ago  cache"
)
PACKAGES = "Package     Version\n----------- -------\nclick       8.1\nnumpy       2.0\norjson      3.10"
PROCESSES = (
    "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n"
    "root           1  0.0  0.1 167000 11000 ?        Ss   Sep12   0:05 /sbin/init splash\n"
    "root         812  0.0  0.0  14400  3000 ?        Ss   Sep12   0:00 /usr/sbin/sshd -D\n"
    "mira        4711 99.0  9.1 967000 81000 pts/0    R+   09:12  12:05 python train.py"
)


@pytest.mark.parametrize("text", [FILES, FOLDERS, DISKS, PODS, CONTAINERS, PACKAGES, PROCESSES])
def test_each_listing_is_one_block(text: str) -> None:
    assert kinds(text) == ["listing"]
    check_rows(text, units_of(text))


@pytest.mark.parametrize(
    "text",
    [
        "The Harbour Master\n\nIt rained on the quay.  Nobody came.  The ferry left.\n",
        "TITLE  OF  THE  PAGE\nThe text below goes on for a while, and nothing in it lines up.\nNor does this.\n",
        "total 12 of them came\n-r is a flag of the tool\nd is another\n",
        "Name: Ann  Age: 7\nName: Bo   Age: 8\n",
    ],
)
def test_text_that_does_not_line_up_is_no_listing(text: str) -> None:
    assert "listing" not in kinds(text)


def test_the_header_stays_and_rare_states_with_it() -> None:
    kept = left(PODS, 4)

    assert kept[0] == PODS.split("\n")[0]
    assert [row for row in PODS.split("\n") if "Crash" in row or "Error" in row] == [
        row for row in kept if "Crash" in row or "Error" in row
    ]


def test_files_of_a_folder_stay_below_its_name() -> None:
    kept = left(FOLDERS, 3, "How big is inner file12.md?")

    assert kept[0] == "src:\ntotal 184"
    assert "src/inner:\ntotal 184" in kept
    assert sum("file12.md" in row for row in kept) == 2


def test_a_prompt_ends_a_listing() -> None:
    text = f"{DISKS}\n$ git status --short\n M src/app.py\n"
    first = split(text)[0]

    assert (first.kind, text[first.start : first.end]) == ("listing", DISKS)


@given(
    st.lists(st.sampled_from(["Running", "Error", "Pending"]), min_size=4, max_size=60), st.sampled_from([2, 3, 9])
)
def test_rows_stay_whole_below_the_header(states: list[str], ratio: float) -> None:
    text = "NAME        READY   STATUS    AGE\n" + "\n".join(
        f"pod-{n:03}     1/1     {state:8}  {n}d" for n, state in enumerate(states)
    )
    kept = left(text, ratio)

    assert kept[0] == text.split("\n")[0]
    assert set(kept) <= set(text.split("\n"))


@given(st.text(st.sampled_from("aA1 -\n\t%:"), max_size=300))
def test_nothing_that_it_may_hold_is_a_fault(text: str) -> None:
    assert kinds(text) is not None
    assert kinds(f"{DISKS}\n{text}")[0] == "listing"
