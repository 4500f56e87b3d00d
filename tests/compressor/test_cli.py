"""`moos compress` as a user meets it: one short text out, one clear line for every fault."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moosproxy.compressor.commands.compress import compress
from tests.compressor import tiny

TEXT = "\n".join(" ".join(tiny.WORDS[i : i + 12]) + "." for i in range(0, 240, 6))


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "document.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def run(tiny_checkpoint: Path, *arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(
        compress, ["--checkpoint", str(tiny_checkpoint), "--threads", "1", *arguments], stdin
    )


def test_the_shorter_text_goes_to_stdout_and_one_line_to_stderr(tiny_checkpoint: Path, document: Path) -> None:
    result = run(tiny_checkpoint, str(document), "--ratio", "3")

    assert 0 == result.exit_code
    assert len(result.stdout) < len(TEXT) / 2
    assert re.fullmatch(r"\d+ -> \d+ tokens \(encoder\), [23]\.\d\dx; .*\d+ ms\n", result.stderr)


def test_standard_input_is_read_with_a_dash(tiny_checkpoint: Path, document: Path) -> None:
    from_file, from_pipe = run(tiny_checkpoint, str(document)), run(tiny_checkpoint, "-", stdin=TEXT)

    assert from_file.stdout == from_pipe.stdout != ""


def test_json_holds_the_whole_result(tiny_checkpoint: Path, document: Path) -> None:
    value = json.loads(run(tiny_checkpoint, str(document), "--ratio", "2", "--json").stdout)

    assert {"text", "kept", "tokens_before", "tokens_after", "ratio", "fingerprint", "timings_s"} <= set(value)
    assert all(TEXT[start:end] in value["text"] for start, end in value["kept"])


def test_the_heat_map_shows_every_word_escaped(tiny_checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "map.html"

    result = run(tiny_checkpoint, "-", "--html", str(out), stdin=TEXT + " <script>alert(1)</script>")

    assert 0 == result.exit_code
    page = out.read_text(encoding="utf-8")
    assert "<script" not in page
    assert all(word in page for word in tiny.WORDS[:200])


def test_show_prints_dropped_words_too(tiny_checkpoint: Path, document: Path) -> None:
    shown = run(tiny_checkpoint, str(document), "--show", "--ratio", "4").stdout

    assert TEXT.split() == shown.replace("[-", "").replace("-]", "").split()
    assert "[-" in shown  # in a file there are no colours to tell dropped words by


@pytest.mark.parametrize(
    ("arguments", "stdin", "fault"),
    [
        (["-", "--ratio", "0.5"], "text", "ratio must be a number of at least 1"),
        (["-", "--ratio", "two"], "text", "'two' is not a valid float"),
        ([], None, "Missing argument 'FILE"),
        (["-", "--ratio", "nan"], "text", "ratio must be a number of at least 1"),
        (["-", "--alpha", "2"], "text", "alpha must be a number between 0 and 1"),
        (["-", "--protect", "urls"], "text", "unknown protected kind urls; known kinds: .*url"),
        (["-", "--pattern", "("], "text", "is not a regular expression"),
        (["-"], b"\xff\xfe text", "not UTF-8"),
        (["-"], b"ELF\0\0", "binary file"),
        (["."], None, "is a directory"),
        (["nowhere.txt"], None, "cannot be read: No such file"),
        (["-", "--engine", "cuda"], "text", "unknown engine"),
        (["-", "--html", "no/such/folder/x.html"], "text", "cannot be written"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(
    tiny_checkpoint: Path, arguments: list[str], stdin: str | bytes | None, fault: str
) -> None:
    result = run(tiny_checkpoint, *arguments, stdin=stdin)

    assert 2 == result.exit_code
    assert "" == result.stdout
    assert re.fullmatch(f"moos compress: .*{fault}.*\n", result.stderr)


def test_an_empty_checkpoint_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(compress, ["--checkpoint", str(tmp_path), "-"], "text")

    assert 2 == result.exit_code
    assert re.fullmatch(r"moos compress: .*config\.json is missing\n", result.stderr)


def test_serving_needs_no_torch(tiny_checkpoint: Path) -> None:
    program = (
        "import sys; from moosproxy.compressor import Compressor\n"
        "Compressor.load(sys.argv[1]).compress('one two three ' * 50)\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'openvino', 'litellm', 'yaml'}))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(tiny_checkpoint)], capture_output=True, text=True, check=True
    )

    assert "[]\n" == done.stdout


def test_an_unknown_tokenizer_is_an_error_that_names_the_known_ones(tiny_checkpoint: Path, document: Path) -> None:
    done = run(tiny_checkpoint, str(document), "--tokenizer", "o200k_bse")

    assert done.exit_code == 2
    assert "o200k_bse" in done.stderr
    assert "o200k_base" in done.stderr
