"""One code for every family: adapters on all linear layers of the body, one head, and the same scores after reloading."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf

from distillery_site.common.errors import BadInput, Permanent
from tests.fakes import small_students
from tests.fakes.tiny_base import make_tiny_base
from training.student import artifact, config, tokens
from training.student.lora import model, structure

SIZE = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 600}
GROUPED = {**SIZE, "num_key_value_heads": 2, "max_position_embeddings": 256}
NO_IDS = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}
LLAMA = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
BERT = {"query", "key", "value", "output.dense", "intermediate.dense"}
FAMILIES: dict[str, tuple[Callable[[], Any], set[str], list[str]]] = {
    "qwen2": (lambda: hf.Qwen2Config(**GROUPED), LLAMA, ["score"]),
    "qwen3": (lambda: hf.Qwen3Config(**GROUPED, head_dim=8), LLAMA, ["score"]),
    "llama": (lambda: hf.LlamaConfig(**GROUPED, **NO_IDS), LLAMA, ["score"]),
    "gemma": (lambda: hf.GemmaConfig(**GROUPED, **NO_IDS, head_dim=8), LLAMA, ["score"]),
    "gemma3": (lambda: hf.Gemma3TextConfig(**GROUPED, **NO_IDS, head_dim=8), LLAMA, ["score"]),
    "bert": (lambda: hf.BertConfig(**SIZE), BERT, ["bert.pooler", "classifier"]),
    "roberta": (lambda: hf.RobertaConfig(**SIZE, **NO_IDS), BERT, ["classifier"]),
    "modernbert": (lambda: hf.ModernBertConfig(**SIZE, **NO_IDS, cls_token_id=0, sep_token_id=0), {"Wqkv", "Wo", "Wi"},
                   ["head", "classifier"]),
    "gpt2": (lambda: hf.GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=600, **NO_IDS), {"c_attn", "c_proj", "c_fc"},
             ["score"]),
}  # fmt: skip
ENCODING = ("llama", "bert", "modernbert")  # shapes of output that an own head takes the mean of


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random base of every family, with one tokenizer for all."""
    root = tmp_path_factory.mktemp("bases")
    make_tiny_base(root / "tiny")
    for name, (shape, _, _) in FAMILIES.items():
        torch.manual_seed(0)
        hf.AutoModel.from_config(shape()).save_pretrained(root / name)
        tokens.tokenizer_of(root / "tiny").save_pretrained(root / name)
    return root


@pytest.mark.parametrize(("family", "pooling"), [*((name, "last") for name in FAMILIES), *((n, "mean") for n in ENCODING)])
def test_it_learns_four_steps_and_scores_the_same_after_reloading(bases: Path, tmp_path: Path, family: str, pooling: str) -> None:
    few = small_students.write(tmp_path / "data", examples=small_students.corpus(train=16, val=10).examples)
    options = {"preset": "tiny", "epochs": 1, "batch_size": 4, "pooling": pooling, "autocast": "none"}
    done = small_students.run("--kind", "lora", "--data", few, "--out", tmp_path / "out", "--base", bases / family, **options)
    assert done.code == 0, done.named("error")
    student = artifact.load(tmp_path / "out", bases=bases, golden=True)
    figures = student.manifest["metrics"]
    assert figures["reload_max_diff"] <= artifact.TOLERANCE and figures["batch_max_diff"] <= artifact.TOLERANCE
    assert not model.unmoved(student.scorer)  # type: ignore[attr-defined]


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_go_on_every_linear_layer_of_the_body_and_nowhere_else(family: str) -> None:
    shape, layers, heads = FAMILIES[family]
    stock = hf.AutoModelForSequenceClassification.from_config(shape())
    adapters = structure.adapters(stock, config.LoraConfig(pooling="last"))
    assert set(adapters.target_modules or ()) == layers
    assert structure.head_parts(stock) == heads
    assert not any("pooler" in name or "classifier" in name for name in structure.layers(stock))


def test_a_base_that_also_sees_gets_adapters_in_its_language_model_only() -> None:
    small = {**SIZE, "num_attention_heads": 4}
    eyes = {**small, "image_size": 28, "patch_size": 14}
    both = hf.Gemma3Config(text_config={**GROUPED, "head_dim": 8}, vision_config=eyes, mm_tokens_per_image=4)
    with torch.device("meta"):
        stock = hf.AutoModelForSequenceClassification.from_config(both)
    names = structure.layers(stock)
    assert len(names) == 14 and all("language_model" in name for name in names)
    endings = structure.adapters(stock, config.LoraConfig(pooling="last")).target_modules or ()
    assert not any("vision" in name and name.endswith(tuple(endings)) for name, _ in stock.named_modules())


def test_layers_can_be_chosen_by_name_and_unknown_ones_are_refused(bases: Path) -> None:
    recipe = config.make("lora", {"preset": "tiny", "target_modules": ["q_proj", "v_proj"]})
    assert isinstance(recipe, config.LoraConfig)
    scorer = model.build(bases / "qwen2", tokens.tokenizer_of(bases / "tiny"), "last", 3, recipe)
    assert sum(".lora_B." in name for name, _ in scorer.named_parameters()) == 4
    wrong = config.LoraConfig(max_tokens=64, target_modules=("q_proj", "query"))
    with pytest.raises(BadInput, match="no linear layers called query; it has down_proj, gate_proj, k_proj"):
        model.build(bases / "qwen2", tokens.tokenizer_of(bases / "tiny"), "last", 3, wrong)


def test_a_base_reads_no_further_than_its_positions(bases: Path) -> None:
    assert structure.longest(hf.AutoModel.from_pretrained(bases / "roberta")) == 512 - 2
    with pytest.raises(BadInput, match="reads at most 512 tokens; max_tokens is 600"):
        model.build(bases / "bert", tokens.tokenizer_of(bases / "tiny"), "mean", 3, config.LoraConfig(max_tokens=600))


def test_a_base_that_lacks_weights_is_refused_instead_of_made_up(bases: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    short = hf.AutoModel.from_pretrained(bases / "qwen2")
    weights = {name: value for name, value in short.state_dict().items() if "layers.1.mlp" not in name}
    short.save_pretrained(tmp_path, state_dict=weights)
    tokenizer = tokens.tokenizer_of(bases / "tiny")
    with pytest.raises(Permanent, match="lacks 3 of its weights"):
        model.build(tmp_path, tokenizer, "mean", 3, config.LoraConfig(max_tokens=64))
    (tmp_path / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0broken{}")
    with pytest.raises(Permanent, match="can't be loaded .* fetch it again"):
        model.build(tmp_path, tokenizer, "mean", 3, config.LoraConfig(max_tokens=64))
