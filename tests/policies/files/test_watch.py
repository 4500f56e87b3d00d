"""Hot reload against a real file system."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import watchfiles

from moosproxy.policies.faults import PolicyError
from moosproxy.policies.files import watch
from moosproxy.policies.files.watch import PolicyWatcher
from moosproxy.policies.resolve import PolicySet, RequestFacts

Write = Callable[..., Path]

ECHO = "upstreams: {demo: {kind: echo}}\n"
SLOW_POLL = 600.0
"""So long that only the system's own notice can be what makes a test pass."""


def ratio(watcher: PolicyWatcher, team: str | None = None) -> float:
    return watcher.current.decide(RequestFacts(team=team)).policy.ratio


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (files have no event to wait for)
            await asyncio.sleep(0.02)


def replace(file: Path, text: str) -> None:
    """As editors do: write another file, then rename it."""
    other = file.with_name(".new")
    other.write_text(text)
    other.rename(file)


async def started(watcher: PolicyWatcher) -> None:
    """Give the system's watch time to stand, which nothing reports."""
    await asyncio.sleep(0.3)


async def test_an_edit_comes_into_force(write: Write) -> None:
    main = write(ECHO)
    async with PolicyWatcher(main, environ={}, poll_s=SLOW_POLL) as watcher:
        await started(watcher)
        assert (ratio(watcher), watcher.generation) == (2, 1)
        main.write_text(ECHO + "defaults: {ratio: 3}")
        await until(lambda: ratio(watcher) == 3)
        assert watcher.faults == ()


async def test_replacing_a_file_by_rename_is_noticed_time_after_time(write: Write) -> None:
    main = write(ECHO, t="overrides: {ratio: 3}")
    async with PolicyWatcher(main, environ={}, poll_s=SLOW_POLL) as watcher:
        await started(watcher)
        for value in (4, 5, 6):
            replace(main.parent / "teams" / "t.yaml", f"overrides: {{ratio: {value}}}")
            await until(lambda value=value: ratio(watcher, "t") == value)  # type: ignore[misc]


async def test_a_broken_edit_keeps_the_last_good_set_and_shows_the_fault_until_it_is_mended(write: Write) -> None:
    main = write(ECHO + "defaults: {ratio: 3}")
    async with PolicyWatcher(main, environ={}, poll_s=SLOW_POLL) as watcher:
        await started(watcher)
        main.write_text(ECHO + "defaults: {ratoi: 4}")
        await until(lambda: bool(watcher.faults))
        assert ratio(watcher) == 3
        assert [fault.path for fault in watcher.faults] == ["defaults.ratoi"]
        main.write_text(ECHO + "defaults: {ratio: 4}")
        await until(lambda: ratio(watcher) == 4)
        assert watcher.faults == ()


async def test_going_back_to_the_good_text_clears_the_fault(write: Write) -> None:
    main = write(ECHO)
    async with PolicyWatcher(main, environ={}, poll_s=SLOW_POLL) as watcher:
        await started(watcher)
        main.write_text("[")
        await until(lambda: bool(watcher.faults))
        main.write_text(ECHO)
        await until(lambda: not watcher.faults)


async def test_a_file_that_vanishes_is_a_fault_and_its_return_mends_it(write: Write) -> None:
    main = write(ECHO)
    async with PolicyWatcher(main, environ={}, poll_s=SLOW_POLL) as watcher:
        await started(watcher)
        main.unlink()
        await until(lambda: bool(watcher.faults))
        assert ratio(watcher) == 2
        main.write_text(ECHO)
        await until(lambda: not watcher.faults)


async def test_a_teams_folder_that_appears_later_is_watched_too(write: Write) -> None:
    main = write(ECHO)
    async with PolicyWatcher(main, environ={}, poll_s=SLOW_POLL) as watcher:
        await started(watcher)
        (main.parent / "teams").mkdir()
        (main.parent / "teams" / "t.yaml").write_text("overrides: {ratio: 3}")
        await until(lambda: watcher.current.teams == ("t",))
        await started(watcher)
        (main.parent / "teams" / "t.yaml").write_text("overrides: {ratio: 4}")
        await until(lambda: ratio(watcher, "t") == 4)


async def test_a_whole_folder_put_in_place_of_the_old_one_is_noticed(write: Write, tmp_path: Path) -> None:
    main = write(ECHO, t="overrides: {ratio: 3}")
    async with PolicyWatcher(main, environ={}, poll_s=SLOW_POLL) as watcher:
        await started(watcher)
        shutil.copytree(tmp_path / "teams", tmp_path / "new")
        (tmp_path / "new" / "t.yaml").write_text("overrides: {ratio: 4}")
        (tmp_path / "teams").rename(tmp_path / "old")
        (tmp_path / "new").rename(tmp_path / "teams")
        await until(lambda: ratio(watcher, "t") == 4)
        await started(watcher)
        (tmp_path / "teams" / "t.yaml").write_text("overrides: {ratio: 5}")
        await until(lambda: ratio(watcher, "t") == 5)


async def test_a_link_that_is_turned_to_another_folder_is_followed(tmp_path: Path) -> None:
    """Container platforms publish new configuration like this."""
    for name, value in (("one", 3), ("two", 4)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "moos.yaml").write_text(ECHO + f"defaults: {{ratio: {value}}}")
    (tmp_path / "mount").mkdir()
    os.symlink(tmp_path / "one", tmp_path / "mount" / "..data")
    os.symlink("..data/moos.yaml", tmp_path / "mount" / "moos.yaml")
    async with PolicyWatcher(tmp_path / "mount", environ={}, poll_s=SLOW_POLL) as watcher:
        await started(watcher)
        assert ratio(watcher) == 3
        os.symlink(tmp_path / "two", tmp_path / "mount" / "..new")
        (tmp_path / "mount" / "..new").rename(tmp_path / "mount" / "..data")
        await until(lambda: ratio(watcher) == 4)


@pytest.mark.parametrize("fault", [OSError(28, "inotify limit"), RuntimeError("internal")])
async def test_where_the_system_cannot_watch_the_files_are_compared(
    write: Write, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def refusing(*_: object, **__: object) -> object:
        raise fault

    monkeypatch.setattr(watch, "awatch", refusing)
    main = write(ECHO)
    async with PolicyWatcher(main, environ={}, poll_s=0.05) as watcher:
        main.write_text(ECHO + "defaults: {ratio: 3}")
        await until(lambda: ratio(watcher) == 3)


async def test_where_the_system_stays_silent_the_files_are_compared(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deaf(*_: object, **options: object) -> object:
        (elsewhere := main.parent / "elsewhere").mkdir(exist_ok=True)
        return watchfiles.awatch(elsewhere, **options)  # type: ignore[arg-type]

    main = write(ECHO)
    monkeypatch.setattr(watch, "awatch", deaf)
    async with PolicyWatcher(main, environ={}, poll_s=0.1) as watcher:
        main.write_text(ECHO + "defaults: {ratio: 3}")
        await until(lambda: ratio(watcher) == 3)


async def test_a_good_set_that_must_not_come_into_force_here_is_a_fault(write: Write) -> None:
    def keys_needed(found: PolicySet) -> str | None:
        return None if found.has_keys else "has no keys, and this address is open to others"

    main = write(ECHO, t=f"keys: ['{'1' * 64}']")
    async with PolicyWatcher(main, environ={}, accept=keys_needed, poll_s=SLOW_POLL) as watcher:
        await started(watcher)
        (main.parent / "teams" / "t.yaml").unlink()
        await until(lambda: bool(watcher.faults))
        assert watcher.current.has_keys
        assert "has no keys" in str(watcher.faults[0])


async def test_an_unrelated_file_changes_nothing(write: Write) -> None:
    main = write(ECHO)
    async with PolicyWatcher(main, environ={}, poll_s=0.05) as watcher:
        (main.parent / "notes.txt").write_text("x")
        await asyncio.sleep(0.5)
        assert watcher.generation == 1


async def test_a_broken_start_is_an_error_with_every_fault(write: Write) -> None:
    with pytest.raises(PolicyError) as caught:
        async with PolicyWatcher(write("a: 1\nb: 2"), environ={}):
            pass
    assert len(caught.value.faults) == 3


async def test_leaving_is_quick_and_leaves_no_task(write: Write) -> None:
    before = asyncio.all_tasks()
    async with asyncio.timeout(2), PolicyWatcher(write(ECHO), environ={}, poll_s=SLOW_POLL):
        await asyncio.sleep(0.1)
    assert asyncio.all_tasks() == before


async def test_before_entry_there_is_no_set(write: Write) -> None:
    with pytest.raises(RuntimeError, match="not been entered"):
        _ = PolicyWatcher(write(ECHO), environ={}).current
