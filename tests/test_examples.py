"""The example notebooks run from the first cell to the last, in a kernel of their own, and show what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


def shown(cell: Any, kind: str) -> list[str]:
    return [output["data"][kind] for output in cell["outputs"] if kind in output.get("data", {})]


def test_the_library_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    notebook = nbformat.read(EXAMPLES / "library.ipynb", as_version=4)
    NotebookClient(
        notebook, timeout=100, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert "<s " in shown(cells[1], "text/html")[0]
    assert "words=True" in shown(cells[3], "text/html")[0]
    assert "moos_ratio" in shown(cells[4], "text/plain")[0]
    for at in (2, 5):  # the question's answer, in the whole and in the section that gives it
        assert "password of the service account svc-logship had expired" in shown(cells[at], "text/plain")[0]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.ipynb")), ids=lambda path: path.name)
def test_no_outputs_are_stored(path: Path) -> None:
    """They differ between processors and checkpoints, and nobody would renew them."""
    cells = nbformat.read(path, as_version=4).cells

    assert cells
    assert [(None, [])] * len(cells) == [(cell.get("execution_count"), cell.get("outputs", [])) for cell in cells]
