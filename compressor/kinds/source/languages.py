"""What the rows of code need to be known about a language: its comments, strings and how its blocks end.

A parser (tree-sitter) would know more, but its grammars are a wheel for each language or a download at run time,
and texts here are halves of files, with line numbers in front, in any language; indentation and brackets hold for
all. Pygments names tokens, not blocks, and its lexers are not linear on every input.
"""

from __future__ import annotations

from dataclasses import dataclass

import regex

from moosproxy.compressor.kept import Wrap
from moosproxy.compressor.text.patterns import Pattern


@dataclass(frozen=True, slots=True)
class Language:
    """wrap: of a mark. token: finds strings, comments and brackets in a row; its groups are `line` (a comment to
    the end of the row), `long` (opens what may go on over rows, closed as CLOSES says), `heredoc` and `bracket`.
    braces: blocks stand in braces; ends: they end with a word. indented: they are told by indentation alone.
    """

    wrap: Wrap
    token: Pattern
    braces: bool = False
    ends: bool = False

    @property
    def indented(self) -> bool:
        """Whether nothing but indentation says where a block ends."""
        return not self.braces and not self.ends


CLOSES = {"/*": "*/", "<!--": "-->", "--[[": "]]", "{-": "-}", "=begin": "=end", "(*": "*)"} | dict.fromkeys(
    ("=head1", "=head2", "=head3", "=pod", "=over", "=item"), "\n=cut"
)
"""What ends a long token; the others end as they begin."""

_STRING = r'"(?:\\.|[^"\\])*+"'
_SINGLE = r"'(?:\\.|[^'\\])*+'"
_CHAR = r"'(?:\\.[^'\s]{0,8}|[^'\\])'"
_BRACKET = r"(?P<bracket>[()\[\]{}])"
_HASH = r"(?P<line>(?<!\S)\#.*)"
_SLASHES = r"(?P<line>//.*)"
_HEREDOC = r"(?P<heredoc><<[-~]?[\"']?(?P<tag>[A-Za-z_]\w{0,40})[\"']?)"


def _token(*parts: str) -> Pattern:
    return Pattern("|".join((r"\\.", *(part for part in parts if part), _BRACKET)), regex.DOTALL)


PYTHON = Language(Wrap.HASH, _token(_HASH, "(?P<long>\"\"\"|''')", _STRING, _SINGLE))
SHELL = Language(Wrap.HASH, _token(_HASH, _HEREDOC, _STRING, _SINGLE, "(?P<long>[\"'])"), braces=True, ends=True)
RUBY = Language(
    Wrap.HASH, _token(_HASH, r"(?P<long>(?<![^\n])=begin\b|\"\"\")", _HEREDOC, _STRING, _SINGLE), ends=True
)
PERL = Language(
    Wrap.HASH,
    _token(_HASH, r"(?P<long>(?<![^\n])=(?:head\d|pod|over|item)\b)", _HEREDOC, _STRING, _SINGLE),
    braces=True,
)
C = Language(Wrap.SLASHES, _token(_SLASHES, r"(?P<long>/\*|`|\"\"\")", _STRING, _CHAR, _SINGLE), braces=True)
RUST = Language(Wrap.SLASHES, _token(_SLASHES, r"(?P<long>/\*)", _STRING, _CHAR), braces=True)
CSS = Language(Wrap.BLOCK, _token(r"(?P<long>/\*)", _STRING, _SINGLE), braces=True)
PHP = Language(Wrap.SLASHES, _token(_SLASHES, _HASH, r"(?P<long>/\*)", _HEREDOC, _STRING, _SINGLE), braces=True)
LUA = Language(Wrap.DASHES, _token(r"(?P<long>--\[\[)", r"(?P<line>--.*)", _STRING, _SINGLE), ends=True)
HASKELL = Language(Wrap.DASHES, _token(r"(?P<long>\{-)", r"(?P<line>--.*)", _STRING, _CHAR))
LISP = Language(Wrap.SEMICOLON, _token(r"(?P<line>;.*)", _STRING))
ASSEMBLER = Language(Wrap.SEMICOLON, _token(r"(?P<line>[;#].*)", _STRING))
TEX = Language(Wrap.PERCENT, _token(r"(?P<line>%.*)"))
ERLANG = Language(Wrap.PERCENT, _token(r"(?P<line>%.*)", _STRING), ends=True)
ML = Language(Wrap.PLAIN, _token(r"(?P<long>\(\*)", _STRING, _CHAR))
UNKNOWN = Language(Wrap.PLAIN, _token(_HASH, _SLASHES.replace("line", "slashes"), _STRING), braces=True, ends=True)

_NAMES = {
    "python py python3 py3 pyi pycon starlark bazel cython pyx nim gdscript mojo": PYTHON,
    "bash sh shell zsh ksh fish dockerfile docker makefile make just bats": SHELL,
    "ruby rb elixir ex exs crystal julia jl rake gemspec": RUBY,
    "perl pl r tcl awk powershell ps1 pwsh coffeescript coffee": PERL,
    "c h cpp c++ cc cxx hpp java js javascript jsx mjs cjs node ts typescript tsx go golang kotlin kt kts scala "
    "swift csharp c# cs dart groovy gradle objc objective-c solidity sol zig vala d glsl hlsl wgsl cuda cu proto "
    "protobuf thrift v verilog systemverilog sv hcl terraform tf graphql gql scss less": C,
    "rust rs": RUST,
    "css": CSS,
    "php": PHP,
    "lua luau": LUA,
    "haskell hs elm purescript ada vhdl": HASKELL,
    "lisp clojure clj cljs cljc scheme racket elisp emacs-lisp common-lisp": LISP,
    "asm nasm assembly s llvm": ASSEMBLER,
    "tex latex": TEX,
    "erlang erl matlab octave prolog": ERLANG,
    "ocaml ml fsharp f# fs sml coq": ML,
}
LANGUAGES = {name: language for names, language in _NAMES.items() for name in names.split()}
"""By the name that a fence gives, in lower case."""

_TELLING: tuple[tuple[Pattern, Language], ...] = tuple(
    (Pattern(rf"^(?:[ \t]*+\d+[\t→])?[ \t]*+(?:{pattern})", regex.MULTILINE), language)
    for pattern, language in (
        (
            r"(?:async )?def \w+\(.*\)?.*:?[ ]*$|class \w+(?:\(.*\))?:|from [\w.]+ import "
            r"|import [\w.]+(?: as \w+)?$|(?:if|elif|for|while|with|except|try|else)\b[^{;]*:[ ]*(?:\#.*)?$"
            r"|[rf]?\"\"\"|@\w[\w.]*(?:\(.*\))?$",
            PYTHON,
        ),
        (
            r"\#!.*\b(?:ba|z|k|da)?sh\b|(?:if|while) .*; ?(?:then|do)$|(?:fi|done|esac|then)\b|\w+\(\) ?\{$"
            r"|(?:echo|export|set|source|cd|local|sudo) [^=(]|[A-Z_]+=[\"'$]|for \w+ in .*; ?do$",
            SHELL,
        ),
        (
            r"(?:pub(?:\(\w+\))? )?(?:fn \w+|impl\b|trait \w+|mod \w+)|let mut |use [\w:]+::|\#!?\[|match .* \{$",
            RUST,
        ),
        (
            r"def (?:self\.)?[\w?!]+(?:\(.*\)|[ ]\w+)?[ ]*$|module [A-Z]|class [A-Z]\w+(?: < [\w:]+)?[ ]*$|end$"
            r"|require [\"']|attr_\w+ :|defmodule |defp? \w+.* do$|(?:unless|elsif)\b",
            RUBY,
        ),
        (r"local (?:function )?\w+|function [\w.:]+\(.*\)$|(?:if|elseif) .* then$|--[ \[]", LUA),
        (r"<\?php|\$\w+ ?=|\$this->|use [A-Z]\w+\\", PHP),
        (r"use (?:strict|warnings);|my [$@%]\w+|sub \w+ \{", PERL),
        (r"\((?:def\w*|ns|let|require|setq|lambda)\b|;;", LISP),
        (r"\w+ :: .*->|module [\w.]+ .*where|import qualified ", HASKELL),
        (
            r"\#(?:include|define|ifn?def|endif|pragma)\b|//|/\*|(?:public|private|protected|static|export|const|let|var"
            r"|package|import|using|func|function|interface|struct|enum|namespace|typedef|void|type|return)\b"
            r"(?:.*[;{(,]| .*[\"'=].*)$|\}",
            C,
        ),
    )
)
_LOOKED_AT = 20_000
_CUT = 400


def language(text: str, hint: str) -> Language:
    """The language that a hint names, else the one of which most rows at the beginning have a sign."""
    if hint in LANGUAGES:
        return LANGUAGES[hint]
    head = "\n".join(row[:_CUT] for row in text[:_LOOKED_AT].split("\n"))
    votes = [sum(1 for _ in pattern.finditer(head)) for pattern, _ in _TELLING]
    best = max(range(len(votes)), key=votes.__getitem__)
    return _TELLING[best][1] if votes[best] else UNKNOWN
