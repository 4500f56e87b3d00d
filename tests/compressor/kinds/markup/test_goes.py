"""A page loses what its reader does not see and sentences of its text; XML loses white space between elements alone."""

from __future__ import annotations

import pytest

from tests.compressor.kinds.kit import Shorten, filled
from tests.compressor.kinds.markup.pages import FEED, PAGE, seen, without_drops


def test_what_a_reader_does_not_see_goes_and_the_rest_stays() -> None:
    assert without_drops(PAGE).rstrip() == (
        "<title>Harbour news</title>\n"
        '<nav><ul><li><a href="/a">Home</a></li><li><a href="/b">About us</a></li></ul></nav>\n'
        "<h1>The ferry is late</h1>\n"
        "<p>The ferry did not leave on Monday. It will leave <b>on Tuesday</b> at nine, said\n"
        '<a href="/people/li">Captain Li. He knows</a>. Nobody was hurt.\n'
        "<p>The crew repaired the engine. The work took six hours.<br>It cost 4,000 euro.\n"
        '<div style="display: none">secret text</div>\n'
        '<table><tr><th scope="col">Day</th><th>Ferries</th></tr><tr><td>Mon</td><td colspan="2">0</td></tr></table>\n'
        "left<div>right</div>\n"
        '<form action="/go"><input type="hidden" name="csrf" value="abc">\n'
        '<select name="day"><option value="1" selected>Monday</option></select><button type="submit">Go</button></form>\n'
        '<img alt="The ferry at the pier">\n'
        "<pre>\n  a   b\n    </pre>\n"
        "<footer>Printed by the harbour</footer>"
    )
    assert seen(without_drops(PAGE)) == seen(PAGE)


def test_sentences_go_whole_and_headings_tables_and_forms_stay(shorten: Shorten) -> None:
    short = shorten(PAGE)
    for kept in (
        "<h1>The ferry is late</h1>",
        "<th>Ferries</th>",
        '<option value="1" selected>Monday</option>',
        "  a   b",
    ):
        assert kept in short
    assert "repaired the engine" not in short and "[…" in short
    assert short.count("<b>") == short.count("</b>") and short.count("<a ") == short.count("</a>")


def test_a_question_keeps_the_script_it_is_about(shorten: Shorten) -> None:
    assert 'var x = "<div>";' in shorten(PAGE, "Why does the script fail?")
    assert "var x" not in shorten(PAGE, "When does the ferry leave?")


def test_white_space_between_elements_of_data_goes_and_nothing_else(shorten: Shorten) -> None:
    short = shorten(FEED)
    assert short == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" xmlns:x="urn:x"><channel><title>Harbour  news</title>'
        "<!-- kept --><item><title>The ferry <b>is</b> late</title><x:code>\n   1  2\n      </x:code></item>"
        '<item><title/><note xml:space="preserve"> <a/> </note><body><![CDATA[ <p> raw </p> ]]></body></item></channel></rss>'
    )


@pytest.mark.parametrize(
    "text",
    [
        "```html\n" + PAGE + "```",
        PAGE.replace("Harbour news", "{{ title }}"),
        PAGE.replace('class="home"', '@click="go"'),
        PAGE.replace("Printed by", "<?php echo 1 ?>"),
        "<script>\nfunction go() {\n  return document.title;\n}\n"
        + "go();\n" * 50
        + "</script>\n<p>x</p>\n<p>y</p>\n<p>z</p>",
    ],
)
def test_source_keeps_every_row(shorten: Shorten, text: str) -> None:
    assert filled(shorten(text)) == filled(text)
