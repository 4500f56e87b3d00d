"""The page as people use it, in a headless Chromium."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from moosproxy.compressor import Compressor
from moosproxy.policies.files.load import load
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy.conftest import TEAM_KEYS
from tests.proxy.fakes import report
from tests.proxy.live import Exchange, LiveProxy, ScriptedUpstream
from tests.proxy.ui.browsing import DESK, PHONE, needs_chromium, visit
from tests.proxy.ui.filled import fill
from tests.proxy.wire import ask, chat, long_text

pytestmark = [pytest.mark.slow, needs_chromium]

VIEWS = ("savings", "live", "playground")
HOSTILE = "<img src=x onerror=\"document.title='taken'\"> <script>document.title='taken'</script> <b>bold</b>"
POLICIES = """
defaults: {{min_tokens: 100, deadline_ms: 60000}}
policies:
  hard: {{ratio: 3}}
upstreams:
  main: {{kind: openai, base_url: "{url}", prices: {{"gpt-4o": {{input: 2.5, output: 10, cached: 1.25}}}}}}
routes:
  - {{match: {{model: "hard*"}}, policy: hard, upstreams: main}}
  - {{match: {{model: "bound*"}}, upstreams: main, policy: hard, overrides: {{allow_bypass: false}}}}
  - {{upstreams: main}}
"""
QUESTION = "Who looked at the roof?"
FOCUSABLE = """() => [...document.querySelectorAll('a[href],button,input,select,textarea,summary,[tabindex="0"]')]
  .filter((e) => e.checkVisibility() && !e.disabled && (e.type !== 'radio' || e.checked))"""


@pytest.fixture(scope="module")
def real(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProxy]:
    """With the bundled compressor, weeks in its ledger, and a model that says how long its prompt was."""
    folder = tmp_path_factory.mktemp("page")
    file = folder / "moos.yaml"
    settings = Settings(ledger=SecretStr(str(folder / "ledger.sqlite")))
    asyncio.run(fill(folder / "ledger.sqlite", hours=24 * 31, rows_an_hour=20))
    file.write_text(POLICIES.format(url=upstream.url))

    async def answer(exchange: Exchange) -> None:
        prompt = json.loads(exchange.request.body)["messages"][0]["content"]
        usage = {"prompt_tokens": len(prompt) // 4, "completion_tokens": 3, "total_tokens": 3}
        told = {
            "choices": [{"message": {"role": "assistant", "content": f"{len(prompt)} letters"}}],
            "usage": usage,
        }
        await exchange.reply(200, json.dumps(told).encode())

    upstream.scripts["gpt-4o"] = upstream.scripts["bound"] = answer
    with Compressor.load() as compressor, LiveProxy(create_app(settings, load(file), compressor)) as live:
        yield live


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("scheme", "size"), [("light", DESK), ("dark", DESK), ("light", PHONE), ("dark", PHONE)])
async def test_every_view_fits_and_asks_nobody_else(
    real: LiveProxy, view: str, scheme: str, size: dict[str, int]
) -> None:
    await ask(real.port, chat("gpt-4o", report(60)))
    async with visit(real.url, view, color_scheme=scheme, viewport=size) as seen:
        await seen.shot(f"{view}-{scheme}-{size['width']}")
        width = await seen.page.evaluate("document.scrollingElement.scrollWidth")

        assert width <= size["width"]
        assert await seen.page.locator(f"#view-{view}").is_visible()
        assert await seen.page.locator("nav [aria-current]").inner_text() == view.capitalize()


@pytest.mark.parametrize("view", VIEWS)
async def test_the_tab_key_reaches_everything_and_shows_where_it_is(real: LiveProxy, view: str) -> None:
    async with visit(real.url, view) as seen:
        page = seen.page
        wanted = await page.evaluate(f"({FOCUSABLE})().length")
        await page.evaluate(f"({FOCUSABLE})().forEach((e, i) => e.dataset.place = i)")
        reached, unseen = set(), []
        for _ in range(wanted + 2):
            await page.keyboard.press("Tab")
            place, outlined = await page.evaluate(
                "() => { const e = document.activeElement;"
                "const shown = [e, e.nextElementSibling, e.parentElement];"
                "return [e.dataset.place, shown.some((s) => s && getComputedStyle(s).outlineStyle !== 'none')]; }"
            )
            reached.add(place)
            if place is not None and not outlined:
                unseen.append(place)

        assert {str(place) for place in range(wanted)} <= reached
        assert unseen == []


@pytest.mark.parametrize("view", VIEWS)
async def test_every_field_and_button_has_a_name(real: LiveProxy, view: str) -> None:
    async with visit(real.url, view) as seen:
        nameless = await seen.page.evaluate(
            f"({FOCUSABLE})().filter((e) => !(e.labels?.length || e.textContent.trim() || e.ariaLabel"
            " || e.getAttribute('aria-labelledby'))).map((e) => e.outerHTML)"
        )

        assert nameless == []


@pytest.mark.parametrize("view", VIEWS)
async def test_nothing_moves_while_a_view_is_loaded(real: LiveProxy, view: str) -> None:
    watch = (
        "window.moved = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries())"
        " window.moved += entry.value; }).observe({type: 'layout-shift', buffered: true});"
    )
    async with visit(real.url, view) as seen:
        await seen.page.add_init_script(watch)
        await seen.page.reload()
        await seen.page.wait_for_load_state("networkidle")

        assert await seen.page.evaluate("window.moved") < 0.02


async def test_a_pasted_text_comes_out_shorter_and_its_html_is_text(real: LiveProxy) -> None:
    text = f"{HOSTILE} 🙂\n\n{report(60)}"
    async with visit(real.url, "playground") as seen:
        page = seen.page
        await page.fill("#text", text)
        await page.fill("#question", QUESTION)
        await page.fill("#ratio", "3")
        await page.fill("#model", "gpt-4o")
        await page.click("#shorten")
        await page.wait_for_selector("#outcome:not([hidden])")
        shown = await page.locator("#marked").evaluate("e => e.innerText")
        left_out = await page.locator("#marked s").count()
        tokens = await page.locator("#try-tiles").inner_text()
        await seen.shot("playground-marked")
        await page.check("input[name=shown][value=sent]", force=True)
        sent = await page.locator("#marked").evaluate("e => e.textContent")

        assert "<script>" in shown or "<img" in shown
        assert await page.locator("#marked img, #marked script, #marked b:not(.mark)").count() == 0
        assert await page.title() == "Playground – moosproxy"
        assert left_out > 10
        assert "o200k_base" in tokens
        assert len(sent) < 0.6 * len(text)
        assert "roof" in sent
        assert text[:40] not in page.url
        assert await page.evaluate("localStorage.length + sessionStorage.length") == 0


async def test_scores_are_told_to_who_uses_the_keyboard(real: LiveProxy) -> None:
    async with visit(real.url, "playground") as seen:
        await seen.page.click("#example")
        await seen.page.locator("#size", has_text="5,9").wait_for()
        await seen.page.click("#shorten")
        await seen.page.wait_for_selector("#outcome:not([hidden])")
        await seen.page.focus("#marked")
        for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
            await seen.page.keyboard.press(key)
        first = await seen.page.locator("#marked [data-score]").first.inner_text()

        assert await seen.page.locator("#score").inner_text() == await seen.page.evaluate(
            "`“${document.querySelector('.here').textContent}”: ${document.querySelector('.here').dataset.score}`"
        )
        assert await seen.page.locator(".here").inner_text() == first


async def test_what_is_shown_is_the_text_as_it_came(real: LiveProxy) -> None:
    text = f"🙂🙂 {report(40)}\n\n漢字 and a 🙂 at the end."
    async with visit(real.url, "playground") as seen:
        page = seen.page
        await page.fill("#text", text)
        await page.click("#shorten")
        await page.wait_for_selector("#outcome:not([hidden])")
        shown = await page.evaluate(
            "[...document.getElementById('marked').childNodes].filter((n) => n.className !== 'mark')"
            ".map((n) => n.textContent).join('')"
        )

        assert shown == text


async def test_both_forms_are_answered_as_they_stand(real: LiveProxy, upstream: ScriptedUpstream) -> None:
    text = report(60, seed=7)
    async with visit(real.url, "playground") as seen:
        page = seen.page
        await page.fill("#text", text)
        await page.fill("#question", QUESTION)
        await page.fill("#model", "gpt-4o")
        await page.fill("#ratio", "3")
        await page.click("#shorten")
        await page.wait_for_selector("#outcome:not([hidden])")
        await page.click("#ask")
        await page.locator("#short-answer", has_text="letters").wait_for()
        whole, short = [await page.locator(f"#{side}-answer").inner_text() for side in ("whole", "short")]
        await seen.shot("playground-answers")
        await page.fill("#model", "bound")  # whose policy allows no bypass
        await page.click("#ask")
        await page.locator("#whole-told", has_text="Not the whole text: the policy allows no bypass").wait_for()

        assert whole == f"{len(text) + len(QUESTION) + 2} letters"
        assert int(short.split()[0]) < 0.7 * len(text)


async def test_a_fault_is_told_beside_the_field(real: LiveProxy) -> None:
    async with visit(real.url, "playground") as seen:
        await seen.page.click("#shorten")

        assert "paste one" in await seen.page.locator("#try-fault").inner_text()
        assert await seen.page.evaluate("document.activeElement.id") == "text"


async def test_a_file_is_taken_and_one_that_is_no_text_is_named(real: LiveProxy, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text("Grüße " * 50, encoding="utf-8")
    bad.write_bytes(b"\xff\xfe\x00")
    async with visit(real.url, "playground") as seen:
        await seen.page.set_input_files("#file", bad)
        await seen.page.wait_for_selector("#try-fault:not([hidden])")
        told = await seen.page.locator("#try-fault").inner_text()
        await seen.page.set_input_files("#file", good)
        await seen.page.wait_for_selector("#try-fault", state="hidden")

        assert "bad.txt" in told
        assert (await seen.page.input_value("#text")).startswith("Grüße")


async def test_a_key_is_asked_for_and_stays_in_the_tab(keyed_proxy: LiveProxy) -> None:
    await ask(
        keyed_proxy.port, {"text": long_text(50)}, "/v1/compress", authorization=f"Bearer {TEAM_KEYS['hard']}"
    )
    async with visit(keyed_proxy.url, "live") as seen:
        page = seen.page
        await page.wait_for_selector("#key-dialog[open]")
        await seen.shot("key")
        await page.fill("#key", TEAM_KEYS["hard"])
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#requests table")

        assert await page.evaluate("[sessionStorage.getItem('moos-key'), localStorage.length]") == [
            TEAM_KEYS["hard"], 0,
        ]  # fmt: skip
        assert "hard" in await page.locator("#version").inner_text()
        assert TEAM_KEYS["hard"] not in page.url
        seen.faults[:] = [fault for fault in seen.faults if "401" not in fault]


async def test_the_colours_are_kept_and_go_before_the_systems(real: LiveProxy) -> None:
    async with visit(real.url, "live", color_scheme="dark") as seen:
        await seen.page.click("#theme-button")
        await seen.page.reload()

        assert await seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(250, 250, 248)"
        assert await seen.page.locator("#theme-button").inner_text() == "Dark"


async def test_savings_are_shown_by_name_and_what_costs_more_is_red(real: LiveProxy) -> None:
    async with visit(real.url, "savings") as seen:
        page = seen.page
        await page.wait_for_selector("#control table")
        teams = await page.locator("#by-table tbody th").all_inner_texts()
        await page.check("input[name=by][value=model]", force=True)
        red = await page.locator("#by-table tr.loses th").all_inner_texts()
        told = await page.locator("#by-table tr.loses").inner_text()
        await page.check("input[name=by][value=kind]", force=True)
        grown = await page.locator("#by-table tr", has_text="listing").inner_text()
        await page.check("input[name=unit][value=usd]", force=True)
        await page.locator("#chart-table summary").click()
        money = await page.locator("#chart-table tbody tr td").last.inner_text()  # waits until there is one
        rows = await page.locator("#chart-table tbody tr").count()
        await seen.shot("savings-money-by-model")

        assert {f"team-{number}" for number in range(4)} <= set(teams)
        assert red == ["gpt-4o-mini"]
        assert "costs more than it saves" in told
        assert {"−", "more than came"} == {sign for sign in ("−", "more than came") if sign in grown}
        assert 56 <= rows <= 58
        assert money.startswith("$")
        assert await page.locator("#skips li").count() >= 5
        assert await page.locator("#control tbody tr").count() == 7
        assert "−" in await page.locator("#control tr", has_text="billed").locator("strong").inner_text()
        assert "none to be seen" in await page.locator("#control tr", has_text="answer tokens").inner_text()


async def test_a_ledger_without_a_request_says_what_to_do(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    settings = Settings(ledger=SecretStr(str(tmp_path / "empty.sqlite")), compressor="off")
    with LiveProxy(create_app(settings)) as live:
        async with visit(live.url, "savings") as seen:
            told = await seen.page.locator("#by-table").inner_text()
            control = await seen.page.locator("#control").inner_text()
            await seen.shot("savings-empty")

    assert f'base_url="{live.url}/v1"' in told
    assert "holdout: 0.05" in control
