"""Every kind by name: what it must find, and what looks like it but is not."""

import pytest

from moosproxy.compressor.protect import DETECTORS, find
from moosproxy.compressor.settings import Kind


def found(text: str, kind: Kind) -> list[str]:
    return [text[span.start : span.end] for span in find(text, {kind})]


def covered(text: str, kind: Kind, piece: str) -> bool:
    """Whether every character of the piece lies in a span of the kind."""
    start = text.index(piece)
    held: set[int] = set()
    for span in find(text, {kind}):
        held.update(range(span.start, span.end))
    return held.issuperset(range(start, start + len(piece)))


POSITIVE: dict[Kind, list[tuple[str, str]]] = {
    Kind.FENCED_CODE: [
        ("before\n```py\nx = 1\n```\nafter", "```py\nx = 1\n```"),
        ("- item\n  ```\n  a\n  ```\n", "  ```\n  a\n  ```"),
        ("~~~\nit has ``` inside\n~~~", "~~~\nit has ``` inside\n~~~"),
        ("never closed:\n```sh\nrm -r build\nmake", "```sh\nrm -r build\nmake"),
        ("````\n```\nnested\n```\n````", "````\n```\nnested\n```\n````"),
    ],
    Kind.INLINE_CODE: [("run `pip install x` now", "`pip install x`"), ("use ``a ` b`` here", "``a ` b``")],
    Kind.JSON: [
        ('got {"a": [1, true, null]} back', '{"a": [1, true, null]}'),
        ('[note {"k": "v"} end', '{"k": "v"}'),
        ('{"名": "東京", "n": -1.5e3}', '{"名": "東京", "n": -1.5e3}'),
        ('{"a": 1}\n{"a": 2}', '{"a": 2}'),
    ],
    Kind.XML: [
        ('<p class="x">hi</p>', '<p class="x">'),
        ("<p>hi</p>", "</p>"),
        ("a &amp; b", "&amp;"),
        ("one<br/>two", "<br/>"),
        ('<?xml version="1.0"?><r/>', '<?xml version="1.0"?>'),
        ("<!-- hidden -->", "-->"),
    ],
    Kind.URL: [
        ("see https://x.io/a?b=c#d.", "https://x.io/a?b=c#d"),
        ("(http://a.b/c_(d))", "http://a.b/c_(d)"),
        ("at www.example.com/x today", "www.example.com/x"),
        ("on github.com/a/b, there", "github.com/a/b"),
        ("参见 https://例え.jp/パス。", "https://例え.jp/パス"),
        ("postgres://u:p@h:5432/db", "postgres://u:p@h:5432/db"),
    ],
    Kind.PATH: [
        ("in /usr/local/bin now", "/usr/local/bin"),
        ("edit src/app/main.py, please", "src/app/main.py"),
        ("run ./run.sh or ~/x", "./run.sh"),
        (r"open C:\Program Files\App\x.exe now", r"C:\Program Files\App\x.exe"),
        (r"from \\server\share\f", r"\\server\share\f"),
        ("error in main.py:12", "main.py:12"),
        ("читай отчёт report_2024.pdf", "report_2024.pdf"),
    ],
    Kind.EMAIL: [("to bob.x+y@foo.co.uk!", "bob.x+y@foo.co.uk"), ("邮箱：a@b.cn。", "a@b.cn")],
    Kind.ID: [
        ("id a54e2eed-e625-4570-9f74-3624e77d6684.", "a54e2eed-e625-4570-9f74-3624e77d6684"),
        ("commit 3f2a9c1 broke", "3f2a9c1"),
        ("fixes ABC-1234 and #42", "ABC-1234"),
        ("fixes ABC-1234 and #42", "#42"),
        ("from 10.0.0.1:80 to", "10.0.0.1:80"),
        ("at fe80::1ff:fe23:4567:890a", "fe80::1ff:fe23:4567:890a"),
        ("mac 00:1A:2B:3C:4D:5E", "00:1A:2B:3C:4D:5E"),
        ("order_1042 is late", "order_1042"),
        ("blk_-1608999 received", "blk_-1608999"),
        ("an Airbus A320 landed", "A320"),
        ("key AKIAIOSFODNN7EXAMPLE leaked", "AKIAIOSFODNN7EXAMPLE"),
        ("mem 0x7fff12", "0x7fff12"),
        ("doi 10.1234/abc.5x", "10.1234/abc.5x"),
        ("用户 u8f3k2 登录", "u8f3k2"),
    ],
    Kind.VERSION: [
        ("use v2.0-rc1 now", "v2.0-rc1"),
        ("needs 1.2.3.", "1.2.3"),
        ("got 1.2.3-beta.1+b5 there", "1.2.3-beta.1+b5"),
        ("version 3.11 is out", "version 3.11"),
        ("版本 2.1", "版本 2.1"),
        ("torch 2.0.0b1", "2.0.0b1"),
    ],
    Kind.NUMBER: [
        ("weighs 12 kg now", "12 kg"),
        ("costs $3.50 each", "$3.50"),
        ("about 5% of", "5%"),
        ("took 10ms", "10ms"),
        ("3 GiB free", "3 GiB"),
        ("1,234.5 units", "1,234.5"),
        ("pay USD 300 now", "USD 300"),
        ("fell to -4 today", "-4"),
        ("5 million people", "5 million"),
        ("共5个文件", "5个"),
        ("約３０分です", "３０分"),
        ("stoi 20 лет", "20 лет"),
        ("कुल ५ बार", "५"),
        ("add ½ cup", "½"),
        ("between 10-20 km", "10-20 km"),
        ("the 3rd one", "3rd"),
    ],
    Kind.DATE: [
        ("at 2024-05-03T10:30:00Z sharp", "2024-05-03T10:30:00Z"),
        ("on 3/5/2024.", "3/5/2024"),
        ("due 5 March 2024, ok", "5 March 2024"),
        ("due March 5, 2024", "March 5, 2024"),
        ("in May 2024", "May 2024"),
        ("by 5 pm or 10:30", "5 pm"),
        ("by 5 pm or 10:30", "10:30"),
        ("am 5. März 2024", "5. März 2024"),
        ("el 5 de mayo de 2024", "5 de mayo de 2024"),
        ("2024年3月5日です", "2024年3月5日"),
        ("5 мая 2024 года", "5 мая 2024"),
        ("Jun 14 15:16:01 host", "Jun 14 15:16:01"),
        ("the 1990s were", "1990s"),
        ("see you Friday", "Friday"),
    ],
    Kind.QUOTED: [
        ('said "hello there" twice', '"hello there"'),
        ("said “hello” twice", "“hello”"),
        ("the 'x y' flag", "'x y'"),
        ("彼は「東京」と", "「東京」"),
        ("il dit « oui » et", "« oui »"),
        ("er sagte „ja“ und", "„ja“"),
    ],
    Kind.SEVERITY: [
        ("ERROR: disk full", "ERROR"),
        ("the request was denied", "denied"),
        ("[warn] low", "warn"),
        ("level=fatal msg", "fatal"),
        ("warning: deprecated", "warning"),
        ("it timed out again", "timed out"),
        ("raised ValueError", "Error"),
        ("请求失败了", "失败"),
        ("Anmeldung fehlgeschlagen", "fehlgeschlagen"),
        ("произошла ошибка", "ошибка"),
        ("接続エラーです", "エラー"),
        ("حدث خطأ هنا", "خطأ"),
    ],
    Kind.CONDITION: [
        ("he may enter only then", "only"),
        ("all machines but the lathe", "all machines but"),
        ("the plan was given up", "given up"),
        ("er zahlt, falls er kommt", "falls"),
        ("他只有明天", "只有"),
    ],
    Kind.NEGATION: [
        ("do not go", "not"),
        ("it doesn't work", "doesn't"),
        ("it doesn’t work", "doesn’t"),
        ("it does n't work", "n't"),
        ("I cannot see", "cannot"),
        ("NEVER again", "NEVER"),
        ("neither here", "neither"),
        ("unless told", "unless"),
        ("das ist nicht gut", "nicht"),
        ("nunca más", "nunca"),
        ("ce n'est pas vrai", "pas"),
        ("это не так", "не"),
        ("他没有来", "没"),
        ("我不要", "不"),
        ("できません", "ません"),
        ("ليس هنا", "ليس"),
        ("não sei", "não"),
    ],
    Kind.QUESTION: [
        ("Fine. What is it? Go on.", "What is it?"),
        ("好的。你是谁？再见。", "你是谁？"),
        ("من أنت؟", "من أنت؟"),
        ("It costs 3.5 or what?", "It costs 3.5 or what?"),
    ],
    Kind.INSTRUCTION: [
        ("Summarize the text below.\n\nIt rained. It poured.", "Summarize the text below."),
        ("It rained.\n\nPlease answer in French.", "Please answer in French."),
        ("a\n\nQuestion: who came\n\nb", "Question: who came"),
        ("x <instructions>Be brief.</instructions> y", "Be brief."),
        ("雨が降った。\n\n以下を要約\n\n要約してください", "要約してください"),
        ("问题：谁来了\n\n下雨了", "问题：谁来了"),
        ("Based on the passage, who came?\n\nIt rained.", "Based on the passage, who came?"),
        ("You are a helpful assistant.\n\nIt rained.", "You are a helpful assistant."),
    ],
    Kind.HEADING: [
        ("# Top\ntext", "# Top"),
        ("Title\n=====\n\ntext", "Title"),
        ("x\n\nINTRODUCTION\nIt began.", "INTRODUCTION"),
        ("2.1 Methods\nWe did.", "2.1 Methods"),
        ("a.\n\n3. Results\n\nb.", "3. Results"),
        ("第三章 开始\n从前", "第三章 开始"),
        ("ВВЕДЕНИЕ\nЭто было", "ВВЕДЕНИЕ"),
    ],
    Kind.PLACEHOLDER: [
        ("Dear {{ customer.first_name }},", "{{ customer.first_name }}"),
        ("on {{ order.date | date: 'long' }} at", "{{ order.date | date: 'long' }}"),
        ("{{#items}}<b>{{{raw}}}</b>{{/items}}", "{{{raw}}}"),
        ("follow ${TRACKING_CODE:-none} there", "${TRACKING_CODE:-none}"),
        ("if: ${{ !inputs.dry-run }} then", "${{ !inputs.dry-run }}"),
        ("the %(points)s points", "%(points)s"),
        ("kept for {days_kept} days", "{days_kept}"),
        ("It costs {total:.2f} for {customer_name}", "{total:.2f}"),
        ("left with [NEIGHBOUR] or", "[NEIGHBOUR]"),
        ("at <PICKUP_POINT>, where", "<PICKUP_POINT>"),
        ("to __RECEIVER__, and", "__RECEIVER__"),
        ("state @@STATE@@ now", "@@STATE@@"),
        ("in %HOME_DIR% there", "%HOME_DIR%"),
        ("closed from $START until {{ end }}", "$START"),
        ("within %d days of {{ order.date }}", "%d"),
        ("Hello [Your Name], welcome", "[Your Name]"),
        (
            "{% if vip %}Thank you for your loyalty.{% endif %} Bye",
            "{% if vip %}Thank you for your loyalty.{% endif %}",
        ),
        ("Dear <%= user.name %>,", "<%= user.name %>"),
        ("Answer {question} from $CONTEXT_TEXT only", "{question}"),
    ],
}

NEGATIVE: dict[Kind, list[str]] = {
    Kind.FENCED_CODE: ["no ``` inside a line", "``` a ` b", "~ ~ ~"],
    Kind.INLINE_CODE: ["a ` alone", "`` a ` b", "`open\n\nclose`"],
    Kind.JSON: [
        "[1]",
        "{}",
        "{'a': 1}",
        '{"a": 1,}',
        "see [12] and {x}",
        '["a" "b"]',
        '{"a" 1}',
        '["\t"]',
        "[01]",
    ],
    Kind.XML: ["a < b and c > d", "x<5", "i <3 you", "AT&T; no & here", "<- arrow ->"],
    Kind.URL: ["a:b", "e.g. this", "12:30", "end. And so", "file.py"],
    Kind.PATH: ["and/or", "he/she/it", "50 km/h", "12/03/2024", "1/2", "a.b", "Mr. Smith", "https://x.io"],
    Kind.EMAIL: ["@user said", "a @ b", "user@host", "x@"],
    Kind.ID: ["facade", "decade", "twenty-one", "mid-1990s", "well-known", "defaced", "12 apples", "3.14"],
    Kind.VERSION: ["3.14", "10.0.0.1", "vv", "v", "five", "1,234", "very v"],
    Kind.NUMBER: ["H1N1", "a tension that weighs often", "abc", "", "x86"],
    Kind.DATE: ["you may go", "they march on", "3.14", "1:2", "12345", "Sun is up", "1234567890"],
    Kind.QUOTED: ["it's the dogs' bone", '5" x 6"', "“never closed", '"two\nlines"', "don't can't"],
    Kind.SEVERITY: [
        "critical acclaim",
        "a warning sign",
        "an exceptional day",
        "information",
        "fatal attraction",
        "the terror",
        "INFO ok",
    ],
    Kind.CONDITION: ["tea but with milk", "the iffy onlyness", "Wennigsen", "今天很好", ""],
    Kind.NEGATION: [
        "I know",
        "notice this",
        "another one",
        "nothingness of",
        "不断前进",
        "非常好",
        "未来",
        "canto",
    ],
    Kind.QUESTION: ["http://x.io/?a=1 is it", "No question here.", "what a day!"],
    Kind.INSTRUCTION: [
        "It rained.\n\nPlease note that this is the middle.\n\nIt poured.",
        "The list below explains the summary.\n\nHe writes code.",
        "According to legend, it rained.\n\nNever before had it poured.",
        "State Route 41 is long.\n\nPlease note that it rained.\n\nUse of water is free.",
        "def f():\n    return x == {1: 2}\n\nUse = f(x)",
    ],
    Kind.HEADING: [
        "1. Buy milk\n2. Eat it",
        "It rained.",
        "A",
        "#tag",
        "SHOUTED TEXT\nIS NOT ALL\nHEADINGS",
        "- a\n---",
    ],
    Kind.PLACEHOLDER: [
        "as shown before [12], and in [3, 4]",
        "see [the manual](https://x.io) or [NATO](https://n.io)",
        "[DOCS]: https://x.io",
        "the set {a, b} or {} or {x}",
        r"\begin{equation} x_{max} = \frac{abc}{def} \end{equation}",
        "it rose by 20 %d in all, and AAPL at $AAPL",
        "a[INDEX] and Map<KEY> in code",
        "[INFO] started [WARNING] slow",
        "he said {vocalsound} well {disfmarker} yes",
        "a < b and c > d, List<T>",
        "it costs $5 or $US 7",
        "__init__ and __main__",
        "100%of 50%s",
        "<TABLE><TR></TR></TABLE>",
        "[REDACTED] by the court",
    ],
}


@pytest.mark.parametrize(
    ("kind", "text", "piece"), [(kind, *case) for kind, cases in POSITIVE.items() for case in cases]
)
def test_a_kind_covers_its_examples(kind: Kind, text: str, piece: str) -> None:
    assert covered(text, kind, piece), found(text, kind)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in NEGATIVE.items() for text in texts])
def test_a_kind_leaves_lookalikes_alone(kind: Kind, text: str) -> None:
    assert found(text, kind) == []


def test_every_kind_has_a_detector_and_examples_of_both_sorts() -> None:
    assert set(DETECTORS) == set(POSITIVE) == set(NEGATIVE) == set(Kind)


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_that_is_switched_off_finds_nothing(kind: Kind) -> None:
    text = "\n\n".join(text for text, _ in POSITIVE[kind])
    others = find(text, set(Kind) - {kind})

    assert all(span.kind != kind for span in others)
    assert any(span.kind == kind for span in find(text, set(Kind)))


def test_a_number_takes_only_what_belongs_to_it() -> None:
    assert found("12 in the 3 boxes at 5pm", Kind.NUMBER) == ["12", "3", "5pm"]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("about 18,400 of the 61,250 readings", ["18,400 of the 61,250"]),
        ("it runs between 70 and 95 minutes.", ["between 70 and 95 minutes"]),
        ("below 50 percent, twice in a row", ["below 50 percent", "twice"]),
        ("no more than 5 or 6 of them", ["no more than 5 or 6"]),
        ("wait ten minutes, not two hundred and fifty-three", ["ten minutes", "two hundred and fifty-three"]),
        ("nach zwei Stunden", ["zwei Stunden"]),
        ("three attempts left it often eightfold", ["three attempts"]),
        ("5 million", ["5 million"]),
        ("it fell under, 7 of 9", ["7 of 9"]),
        ("3\n4", ["3", "4"]),
    ],
)
def test_a_number_keeps_its_bounds_its_joints_and_its_unit_spelled_out_or_not(
    text: str, numbers: list[str]
) -> None:
    assert found(text, Kind.NUMBER) == numbers


def test_a_url_leaves_the_sentence_its_full_stop() -> None:
    assert found("Go to https://a.io/b. Then (see https://c.io).", Kind.URL) == ["https://a.io/b", "https://c.io"]


def test_many_questions_are_material_and_only_those_at_the_edges_stay() -> None:
    middle = "\n\n".join(f"Was it {word}? It was." for word in ("red", "green", "blue", "grey", "pink"))
    text = f"What colour was it?\n\n{middle}\n\nSo which colour won?"

    assert found(text, Kind.QUESTION) == ["What colour was it?", "So which colour won?"]


def test_few_questions_all_stay() -> None:
    text = "Is it on?\n\n" + "It rained. " * 200 + "Did it pour? It did.\n\nIt rained."

    assert found(text, Kind.QUESTION) == ["Is it on?", "Did it pour?"]


def test_in_worked_examples_only_the_last_labelled_question_stays() -> None:
    shots = "\n\n".join(
        f"Question: what is {n} plus {n}\nAnswer: it is {2 * n}. " + "Because. " * 60 for n in range(8)
    )
    text = f"{shots}\n\nQuestion: what is 9 plus 9\nAnswer:"

    asked = [piece for piece in found(text, Kind.INSTRUCTION) if "plus" in piece]
    assert {n for n in range(10) if any(f"is {n} plus" in piece for piece in asked)} == {
        0,
        9,
    }  # 0 is the first line


def test_a_short_block_that_asks_is_an_instruction_to_its_end() -> None:
    asked = 'Answer in JSON with the keys "person" and "date". Do not add any explanation.'
    text = "The committee met on Monday. It was long.\n\n" * 9 + asked

    found = find(text, frozenset({Kind.INSTRUCTION}))

    assert asked in [text[span.start : span.end] for span in found]


MATERIAL = "The committee met on Monday and talked about the roof. " * 12
ASKED = [
    "You must answer in one sentence and never mention the warehouse.",
    "Make this more formal and fix the grammar mistakes.",
    "The answer should be a single word in upper case letters.",
    "My question is whether the chair was happy with the result.",
    "It would be great if you could rewrite this for children.",
    "I'd like to know how many members there were and what the chair said",
    "tl;dr pls",
    "Resume el texto anterior en dos frases, sin mencionar el almacén.",
    "以下の文章を日本語で三行に要約してください。",
]


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize(
    "form", ["{m}\n\n{a}", "{a}\n\n{m}", "{m}\n{a}", "{m}\n\n{m}\n{a}", "{m}\n\n{a}\n\nThanks,\nAnna"]
)
def test_a_short_block_or_line_at_an_edge_is_the_users_own(asked: str, form: str) -> None:
    assert any(asked in piece for piece in found(form.format(m=MATERIAL, a=asked), Kind.INSTRUCTION))


@pytest.mark.parametrize(
    "asked",
    [
        "Compare it with text B below and list every difference as a bullet point.",
        "Summarise the report above in three bullet points, then translate the text below.",
        "List the names of every person and tell me whether the chair agreed.",
        "Could you give me the three most important decisions in a table",
    ],
)
def test_a_request_counts_between_two_materials(asked: str) -> None:
    assert asked in found(f"{MATERIAL}\n\n{asked}\n\n{MATERIAL}", Kind.INSTRUCTION)
    many = "\n\n".join([MATERIAL, *[f"{asked} {number}" for number in range(9)], MATERIAL])
    assert not any(asked in piece for piece in found(many, Kind.INSTRUCTION))


def test_a_long_last_paragraph_is_material() -> None:
    assert not found("\n\n".join([MATERIAL] * 20), Kind.INSTRUCTION)
