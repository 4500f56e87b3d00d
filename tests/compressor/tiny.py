"""Makes small checkpoints for tests: random weights, real formats."""

from __future__ import annotations

import random
import string
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForTokenClassification

from moosproxy.compressor.training.sealing import export

WORDS = ["".join(random.Random(seed).choices(string.ascii_lowercase, k=2 + seed % 7)) for seed in range(300)]
CORPUS = [" ".join(WORDS[i : i + 20]) + ". The answer is not 42, ERROR 7!" for i in range(0, 280, 5)]


def wordpiece(path: Path) -> Path:
    """A WordPiece tokenizer with BERT's special tokens: signs, and half of WORDS as they are.

    Not trained: tokenizers breaks ties between pairs in another order in every process (0.23.3).
    """
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    signs = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    pieces = dict.fromkeys(
        [*special, *signs, *(f"##{sign}" for sign in signs), "the", "answer", "error", *WORDS[::2]]
    )
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.add_special_tokens(special)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    first, separator = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", separator), ("[CLS]", first))
    tokenizer.save(str(path))
    return path


def sentencepiece(path: Path, vocabulary: int = 400) -> Path:
    """A Unigram tokenizer in XLM-R's manner (no type ids, doubled separator), trained on CORPUS."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=vocabulary, special_tokens=special, unk_token="<unk>")
    tokenizer.train_from_iterator(CORPUS, trainer)
    first, separator = tokenizer.token_to_id("<s>"), tokenizer.token_to_id("</s>")
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", separator), ("<s>", first), trim_offsets=True, add_prefix_space=False
    )
    tokenizer.save(str(path))
    return path


def byte_level(path: Path) -> Tokenizer:
    """Byte-level pieces with BERT's special tokens, as ModernBERT has them: letters alone, nothing merged."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = dict.fromkeys([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())])
    tokenizer = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, []))
    tokenizer.add_special_tokens(special)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    first, separator = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", separator), ("[CLS]", first))
    tokenizer.save(str(path))
    return tokenizer


def bert_config(vocabulary: int, **more: Any) -> BertConfig:
    """Two layers of width 32."""
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        **more,
    )


def write_checkpoint(directory: Path) -> Path:
    """A sealed two-layer BERT of width 32 with random weights."""
    file = wordpiece(directory / "tokenizer.json")
    torch.manual_seed(7)
    size = Tokenizer.from_file(str(file)).get_vocab_size()
    model = BertForTokenClassification(bert_config(size, num_labels=2)).eval()
    with torch.no_grad():
        model.classifier.weight.mul_(60)  # random heads are undecided; spread p over (0, 1)
    export.write(model, file, directory, {"question_aware": True})
    return directory
