"""A random Llama of a few thousand parameters in GGUF, with weights of four bits, as a package brings one."""

from pathlib import Path

import gguf
import numpy as np

from tests.fakes.tiny_base import byte_pairs

HIDDEN, MIDDLE, HEADS, LAYERS = 32, 64, 2, 1


def write_tiny_gguf(path: Path) -> Path:
    """Every number follows from the seed; returns the path."""
    writer = gguf.GGUFWriter(path, "llama")
    _describe(writer)
    source, tokens = np.random.default_rng(0), len(byte_pairs()[0])
    for name, shape in _tensors(tokens).items():
        values = source.normal(0, 0.1, shape).astype(np.float32)
        if len(shape) == 2:
            kind = gguf.GGMLQuantizationType.Q4_1
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _describe(writer: gguf.GGUFWriter) -> None:
    vocabulary, merges = byte_pairs()
    writer.add_context_length(256)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(MIDDLE)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(vocabulary))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(sorted(vocabulary, key=vocabulary.__getitem__))
    writer.add_token_merges([" ".join(pair) for pair in merges])
    for add in (writer.add_bos_token_id, writer.add_eos_token_id, writer.add_unk_token_id):
        add(0)
    writer.add_pad_token_id(1)


def _tensors(tokens: int) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {"token_embd.weight": (tokens, HIDDEN), "output_norm.weight": (HIDDEN,)}
    for layer in range(LAYERS):
        at = f"blk.{layer}"
        found |= {f"{at}.attn_{part}.weight": (HIDDEN, HIDDEN) for part in ("q", "k", "v", "output")}
        found |= {f"{at}.attn_norm.weight": (HIDDEN,), f"{at}.ffn_norm.weight": (HIDDEN,)}
        found |= {f"{at}.ffn_gate.weight": (MIDDLE, HIDDEN), f"{at}.ffn_up.weight": (MIDDLE, HIDDEN)}
        found[f"{at}.ffn_down.weight"] = (HIDDEN, MIDDLE)
    return found
