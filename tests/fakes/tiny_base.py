"""A random Qwen2 of 20,000 parameters with a real tokenizer: everything that a base model has, but knowledge."""

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
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    special = ["<unk>", "<end>"] + (["<pad>"] if pad else [])
    letters = [chr(c) for c in range(33, 127)]
    vocabulary = {token: i for i, token in enumerate([*special, *letters, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<end>", pad_token="<pad>" if pad else None
    )
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, tie_word_embeddings=True,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(directory)
    fast.save_pretrained(directory)
    return directory
