from pathlib import Path

from moosproxy.proxy.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_every_setting_stands_on_its_page_with_its_default() -> None:
    page = PAGE.read_text(encoding="utf-8")

    for name, field in Settings.model_fields.items():
        default = "–" if field.default is None else f"`{field.default}`"
        assert f"| `MOOS_{name.upper()}` | {default} | {field.description} |" in page
