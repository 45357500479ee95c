"""A base model of a known shape with random weights, and articles for it: for time, memory and parity no knowledge is needed."""

import random
from pathlib import Path
from typing import Any

from training.student.bases.catalogue import CATALOGUE
from training.student.bases.shapes import Shape
from training.student.data import Corpus, Example, Output, write_corpus

TINY = Shape("qwen2", 64, 2, 4, 2, 16, 128, 300)
OUTPUTS = tuple(Output("verify", 1, f"dimension{number}") for number in range(8))


def shape_of(name: str) -> Shape:
    return TINY if name == "tiny" else CATALOGUE[name].shape


def make_base(directory: Path, shape: Shape, device: str) -> Path:
    """Weights in bf16, as such bases come, and a tokenizer that knows single bytes."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=shape.vocabulary, hidden_size=shape.hidden, intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
        tie_word_embeddings=shape.tied, max_position_embeddings=32_768,
    )  # fmt: skip
    with torch.device(device):
        model = Qwen2ForCausalLM(config)
    model.to(torch.bfloat16).save_pretrained(directory)
    tokenizer().save_pretrained(directory)
    return directory


def tokenizer() -> Any:
    from tokenizers import pre_tokenizers
    from transformers import Qwen2Tokenizer

    names = ["<|endoftext|>", "<pad>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    return Qwen2Tokenizer(vocab={name: number for number, name in enumerate(names)}, merges=[], pad_token="<pad>")  # noqa: S106


def texts(count: int, letters: int) -> list[str]:
    dice = random.Random(0)  # noqa: S311 (must be repeatable, not secret)
    return ["".join(dice.choices("abcdefghijklmnop ", k=letters)) for _ in range(count)]


def corpus(directory: Path, train: int, letters: int) -> Path:
    """So many training articles, and 16 for validation, each of them as long as that."""
    dice = random.Random(1)  # noqa: S311
    examples = tuple(
        Example(str(number), text, tuple(dice.uniform(0, 10) for _ in OUTPUTS), "train" if number < train else "val")
        for number, text in enumerate(texts(train + 16, letters))
    )
    made = Corpus("verify", f"verify-{train}-{letters}", OUTPUTS, {"fields": ["text"], "max_words": 10_000}, {}, examples)
    write_corpus(directory, made)
    return directory
