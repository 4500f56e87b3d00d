"""One retrieval that every integration is tested with, and the bundled checkpoint to shorten it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from moosproxy.compressor import Compressor

QUERY = "How long does the ferry to Alder take in winter?"
ANSWER = "95 minutes"
TEXTS = (
    "The harbour of Brill was dredged for the first time in the reign of the old queen. Its quays are built "
    "of red granite that came by barge from the quarries upriver, and fishermen still dry their nets on the "
    "eastern wall.",
    "From April to October the ferry to Alder takes 70 minutes and runs six times a day. In winter the ferry "
    "takes 95 minutes, because it goes round the southern bank, and it leaves the harbour only in the early "
    "morning.",
    "The island's wool was once sold as far away as Lisbon. Weavers worked at home, were paid by the ell, and "
    "kept what the merchants sent back; the museum in the old school shows a loom that can still be used by "
    "visitors.",
    "A lighthouse keeper lived on the northern cliff with his family until the lamp was made automatic. The "
    "house is let to guests now, who must carry their own coal, and bring food for a week in case of a storm.",
)


@pytest.fixture(scope="session")
def compressor() -> Iterator[Compressor]:
    with Compressor.load(threads=2) as loaded:
        yield loaded


async def holding_up(work: Coroutine[Any, Any, Any]) -> tuple[float, Any]:
    """The longest that the work held up the event loop, as a share of its time; and what it returned."""
    gaps, running = [0.0], asyncio.create_task(work)
    began = at = time.perf_counter()
    while not running.done():
        await asyncio.sleep(0.001)
        gaps.append(time.perf_counter() - at)
        at = time.perf_counter()
    return max(gaps) / (at - began), await running


def import_without(package: str, module: str) -> str:
    """The last line that Python says where this package is missing and the integration is imported."""
    code = f"import sys; sys.modules[{package!r}] = None; import moosproxy.compressor.integrations.{module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 1 == done.returncode
    return done.stderr.rstrip().splitlines()[-1]
