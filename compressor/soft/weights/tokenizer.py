"""The tokenizer and the chat template that a GGUF file holds, as Transformers keeps them in a directory.

Byte-level BPE is rebuilt with llama.cpp's own splits: Transformers' converter takes GPT-2's for every model. Other
kinds are left to that converter.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tokenizers import AddedToken, Tokenizer, decoders

from moosproxy.compressor.soft.errors import SoftError
from moosproxy.compressor.text import gguf_head, gguf_tokens

_CONTROL, _USER_DEFINED = 3, 4
_TOKENS, _TYPES = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"
# Words that are tokens are taken whole, without merging their bytes.
_WHOLE_WORDS: Final = frozenset({"llama-bpe", "llama-v3", "llama3"})
# What llama.cpp takes as the end of an answer beside the end-of-sequence token.
_ENDS: Final = frozenset(
    {"<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|endoftext|>", "<|end_of_text|>", "<|end|>", "<EOT>", "</s>"}
)


def read(path: Path) -> Any:
    """The tokenizer with its chat template. Raises SoftError for a kind that is not read."""
    from transformers import PreTrainedTokenizerFast

    fields = gguf_head.read(path, (_TOKENS, _TYPES))
    tokens = fields.get(_TOKENS) or []
    named = {
        role: tokens[number]
        for role, field in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"), ("unk", "unknown"))
        if 0 <= (number := fields.get(f"tokenizer.ggml.{field}_token_id", -1)) < len(tokens)
    }
    made = PreTrainedTokenizerFast(
        tokenizer_object=_backend(path, fields),
        clean_up_tokenization_spaces=False,
        **{f"{role}_token": token for role, token in named.items()},
    )
    made.chat_template = fields.get("tokenizer.chat_template")
    return made


def ends(path: Path) -> list[int]:
    """Numbers of all tokens that end an answer."""
    fields = gguf_head.read(path, (_TOKENS, _TYPES))
    types = fields.get(_TYPES) or []
    found = {
        number
        for number, token in enumerate(fields.get(_TOKENS) or [])
        if token in _ENDS and (number >= len(types) or types[number] in (_CONTROL, _USER_DEFINED))
    }
    if "tokenizer.ggml.eos_token_id" in fields:
        found.add(int(fields["tokenizer.ggml.eos_token_id"]))
    return sorted(found)


def _backend(path: Path, fields: dict[str, Any]) -> Tokenizer:
    name = gguf_tokens.name_of(path)
    made = gguf_tokens.load(name) if name else None
    if made is None:
        return _converted(path, fields)
    made.decoder = decoders.ByteLevel()
    if fields["tokenizer.ggml.pre"] in _WHOLE_WORDS:
        made.model.ignore_merges = True
    types = fields.get(_TYPES) or []
    added = [
        AddedToken(token, special=kind == _CONTROL, normalized=False)
        for token, kind in zip(fields[_TOKENS], types, strict=False)
        if kind in (_CONTROL, _USER_DEFINED)
    ]
    made.add_tokens([token for token in added if not token.special])
    made.add_special_tokens([token for token in added if token.special])
    return made


def _converted(path: Path, fields: dict[str, Any]) -> Tokenizer:
    from transformers import AutoTokenizer

    kind = fields.get("tokenizer.ggml.model")
    if kind != "llama":
        cut = fields.get("tokenizer.ggml.pre", "?")
        raise SoftError(f"{path} has a tokenizer that is not read ({kind}, {cut}): give the model's own directory")
    found: Tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name).backend_tokenizer
    return found
