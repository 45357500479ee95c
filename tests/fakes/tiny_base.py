"""A random Qwen2 of 20,000 parameters with a real tokenizer: everything that a base model has, but knowledge."""

import json
from pathlib import Path

WORDS = [
    "the", "a", "of", "to", "and", "in", "on", "for", "with", "river", "town", "bank", "growth", "inflation",
    "crisis", "market", "shares", "school", "hospital", "court", "law", "fire", "police", "flood", "rescue",
    "harvest", "vaccine", "minister", "budget", "tax", "strike", "union", "village", "children", "patients",
    "teachers", "engineers",
]  # fmt: skip


def make_tiny_base(directory: Path, *, pad: bool = True) -> Path:
    """Write config, weights and tokenizer; without `pad`, the tokenizer has no padding token of its own."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

    vocabulary, merges = byte_pairs()
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=merges, pad_token="<pad>" if pad else None)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, tie_word_embeddings=True, initializer_range=0.1,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def byte_pairs() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges learned from the words, so that each of them is one token."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<|endoftext|>", "<pad>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator([" ".join(WORDS), *WORDS], trainer)
    learned = json.loads(tokenizer.to_str())["model"]
    return learned["vocab"], [tuple(pair) for pair in learned["merges"]]
