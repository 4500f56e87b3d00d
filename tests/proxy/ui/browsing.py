"""A headless Chromium that notes what a page must not do: complain, or ask another host."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

async_api = pytest.importorskip("playwright.async_api", reason="playwright is not installed: make test does it")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
REQUIRED = "browser" in os.environ.get("MOOS_TEST_REQUIRE", "").split(",")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and not REQUIRED, reason="no Chromium on this machine: apt-get install chromium"
)
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}


@dataclass
class Visit:
    """One tab. faults: errors in its console, and addresses that it asked of others than the proxy."""

    page: Any
    faults: list[str] = field(default_factory=list)

    async def shot(self, name: str) -> None:
        """A picture for people, where MOOS_TEST_SHOTS names a folder."""
        folder = os.environ.get("MOOS_TEST_SHOTS")
        if folder:
            await self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@asynccontextmanager
async def visit(url: str, view: str, **context: Any) -> AsyncIterator[Visit]:
    """Opens a view of the page, and fails in the end if there were faults. context: as in playwright's."""
    async with async_api.async_playwright() as playing:
        browser = await playing.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = await (await browser.new_context(**{"viewport": DESK, **context})).new_page()
        seen = Visit(tab)
        tab.on("console", lambda told: seen.faults.append(told.text) if told.type == "error" else None)
        tab.on("pageerror", lambda fault: seen.faults.append(str(fault)))
        tab.on("request", lambda asked: None if asked.url.startswith(url) else seen.faults.append(asked.url))
        await tab.goto(f"{url}/ui#{view}")
        await tab.wait_for_load_state("networkidle")
        yield seen
        await browser.close()
        assert seen.faults == []
