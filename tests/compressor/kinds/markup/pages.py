"""A page and a feed that the tests share, what a reader sees of a page, and what of it says nothing."""

from __future__ import annotations

from html.parser import HTMLParser

from moosproxy.compressor.kinds.base import Asked, TextKind
from moosproxy.compressor.kinds.blocks import split
from moosproxy.compressor.kinds.markup.editor import Markup

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Harbour news</title>
  <script>var x = "<div>";</script>
  <style>p { color: red }</style>
</head>
<body class="home">
  <nav class="top"><ul><li><a href="/a" class="x">Home</a></li><li><a href="/b">About us</a></li></ul></nav>
  <div class="wrap" data-id="7"><div id="main">
    <h1 class="t" onclick="go()">The ferry is late</h1>
    <p class="lead">The ferry did not leave on Monday. It will leave <b>on Tuesday</b> at nine, said
      <a href="/people/li" target="_blank">Captain Li. He knows</a>. Nobody was hurt.</p>
    <p>The crew repaired the engine. The work took six hours.<br>It cost 4,000 euro.</p>
    <div style="display: none">secret text</div>
    <table class="grid"><tr><th scope="col">Day</th><th>Ferries</th></tr><tr><td>Mon</td><td colspan="2">0</td></tr></table>
    <div>left</div><div>right</div>
    <form action="/go" class="f"><input type="hidden" name="csrf" value="abc" class="c">
      <select name="day"><option value="1" selected>Monday</option></select><button type="submit">Go</button></form>
    <img src="x.png" alt="The ferry at the pier" width="3"><svg><path d="M0 0"/></svg>
    <pre class="k">
  a   b
    </pre>
  </div></div>
  <!-- end of the page -->
  <footer>Printed by the harbour</footer>
</body>
</html>
"""
FEED = """\
<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:x="urn:x">
  <channel>
    <title>Harbour  news</title>
    <!-- kept -->
    <item>
      <title>The ferry <b>is</b> late</title>
      <x:code>
   1  2
      </x:code>
    </item>
    <item>
      <title/>
      <note xml:space="preserve"> <a/> </note>
      <body><![CDATA[ <p> raw </p> ]]></body>
    </item>
  </channel>
</rss>
"""
UNSEEN = {"script", "style", "noscript", "svg", "template"}


class _Seen(HTMLParser):
    """The text of a page, without what a browser does not show."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0
        self._head = self._title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in UNSEEN
        self._head = (self._head or tag == "head") and tag != "body"
        self._title = self._title or tag == "title"

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in UNSEEN
        self._head = self._head and tag != "head"
        self._title = self._title and tag != "title"

    def handle_data(self, data: str) -> None:
        if not self._hidden and (self._title or not self._head):
            self.pieces.append(data)


def seen(page: str) -> str:
    """All of it, each run of white space as one blank."""
    parser = _Seen()
    parser.feed(page)
    parser.close()
    return " ".join("".join(parser.pieces).split())


def without_drops(text: str) -> str:
    """The text where every unit stays."""
    out, at = [], 0
    for block in split(text):
        for start, end in Markup().edit(text, block, Asked()).drops if block.kind is TextKind.MARKUP else ():
            out.append(text[at:start])
            at = end
    return "".join(out) + text[at:]
