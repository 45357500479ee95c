"""The arithmetic over architectures, held against the modules that transformers builds from the same numbers."""

from dataclasses import replace
from typing import Any

import peft
import pytest
import torch
from transformers import AutoConfig, AutoModel
from transformers.utils import logging

from training.student.bases import shapes
from training.student.bases.catalogue import CATALOGUE
from training.student.bases.shapes import Shape

SMALL = {
    "llama": Shape("llama", 128, 1, 4, 2, 16, 192, 128),
    "qwen2": Shape("qwen2", 128, 1, 4, 2, 32, 192, 128),
    "qwen3": Shape("qwen3", 128, 1, 4, 2, 64, 192, 128),
    "gemma3": Shape("gemma3", 128, 1, 4, 2, 64, 192, 128),
    "bert": Shape("bert", 128, 1, 4, 4, 32, 192, 128, positions=64),
    "modernbert": Shape("modernbert", 128, 1, 4, 4, 32, 192, 128),
}
TOKENS, RANK = 16, 4
NAMES = list(CATALOGUE)


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.set_verbosity_error()


def config_of(shape: Shape) -> Any:
    """The same numbers in transformers' words."""
    words = {
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.intermediate,
        "vocab_size": shape.vocabulary,
        "tie_word_embeddings": shape.tied,
        "pad_token_id": 0,
    }
    if shape.kind == "bert":
        words |= {"max_position_embeddings": shape.positions, "hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0}
    elif shape.kind == "modernbert":
        words |= {f"{name}_token_id": 1 for name in ("cls", "sep", "bos", "eos")}
    else:
        words |= {"num_key_value_heads": shape.kv_heads, "head_dim": shape.head_dim}
    return AutoConfig.for_model("gemma3_text" if shape.kind == "gemma3" else shape.kind, **words)


def body(shape: Shape) -> Any:
    model = AutoModel.from_config(config_of(shape))
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    return model


def with_adapters(shape: Shape) -> Any:
    model = body(shape)
    linear = sorted({name.rpartition(".")[2] for name, part in model.named_modules() if isinstance(part, torch.nn.Linear)})
    recipe = peft.LoraConfig(r=RANK, lora_dropout=0.05, target_modules=linear, task_type="FEATURE_EXTRACTION")
    return peft.get_peft_model(model, recipe).train()


def test_it_counts_the_adapters_of_the_seeds_base_exactly() -> None:
    shape = CATALOGUE["qwen2.5-1.5b"].shape
    assert shape is not None
    assert (shapes.lora_parameters(shape, 16), shapes.lora_matrices(shape)) == (18_464_768, 392)


@pytest.mark.parametrize("name", NAMES)
def test_each_base_of_the_catalogue_has_the_parameters_that_transformers_builds(name: str) -> None:
    """Two layers of it, for every further one is the same again."""
    shape = replace(CATALOGUE[name].shape, layers=2)
    with torch.device("meta"):
        plain, adapted = body(shape), with_adapters(shape)
    assert shape.parameters == sum(p.numel() for p in plain.parameters())
    trained = [p for p in adapted.parameters() if p.requires_grad]
    assert (shapes.lora_parameters(shape, RANK), shapes.lora_matrices(shape)) == (sum(p.numel() for p in trained), len(trained))


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        ("minilm", 22_565_376), ("smollm2-135m", 134_515_008), ("smollm2-1.7b", 1_711_376_384), ("modernbert-base", 149_014_272),
        ("qwen2.5-0.5b", 494_032_768), ("qwen2.5-1.5b", 1_543_714_304), ("qwen2.5-7b", 7_615_616_512),
        ("qwen3-0.6b", 596_049_920), ("gemma-3-270m", 268_098_176), ("gemma-3-1b", 999_885_952), ("gemma-3-4b", 4_300_079_472),
    ],
)  # fmt: skip
def test_a_whole_base_has_as_many_as_its_publishers_state(name: str, stated: int) -> None:
    assert CATALOGUE[name].parameters == stated


@pytest.mark.parametrize("kind", SMALL)
def test_a_config_file_gives_the_shape_back(kind: str) -> None:
    assert shapes.of_config(config_of(SMALL[kind]).to_dict()) == SMALL[kind]


def test_a_base_that_also_sees_is_known_by_its_text_part() -> None:
    text = config_of(SMALL["gemma3"]).to_dict()
    assert shapes.of_config({"model_type": "gemma3", "text_config": text}) == SMALL["gemma3"]


def test_an_architecture_without_a_formula_has_no_shape() -> None:
    assert shapes.of_config({"model_type": "mamba", "hidden_size": 8}) is None
    assert shapes.of_config({"model_type": "llama"}) is None


def kept(model: Any, batch: int, autocast: bool) -> int:
    """Bytes of all tensors that a forward pass keeps for the backward pass, each storage once."""
    seen: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        seen[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    ids, mask = torch.randint(2, 100, (batch, TOKENS)), torch.ones(batch, TOKENS, dtype=torch.long)
    mask[0, -3:] = 0
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), torch.autocast("cpu", enabled=autocast):
        model(input_ids=ids, attention_mask=mask)
    return sum(tensor.untyped_storage().nbytes() for tensor in seen.values())


def counted(shape: Shape, autocast: bool) -> float:
    """Bytes a token in one layer: what two further layers keep of four further texts."""
    small, large = (with_adapters(replace(shape, layers=layers)) for layers in (1, 3))
    grown = [kept(model, 6, autocast) - kept(model, 2, autocast) for model in (small, large)]
    return (grown[1] - grown[0]) / (2 * 4 * TOKENS)


@pytest.mark.parametrize("autocast", [True, False])
@pytest.mark.parametrize("kind", SMALL)
def test_what_a_layer_keeps_of_a_token_is_what_its_modules_keep(kind: str, autocast: bool) -> None:
    estimate = shapes.kept_bytes(SMALL[kind], rank=RANK, tokens=TOKENS, autocast=autocast)
    assert estimate == pytest.approx(counted(SMALL[kind], autocast), rel=0.02)


def test_checkpointing_keeps_one_layer_and_the_inputs_of_the_others() -> None:
    shape = CATALOGUE["qwen2.5-1.5b"].shape
    assert shape is not None
    without, having = (shapes.to_train(shape, batch=8, tokens=512, checkpointing=on) for on in (False, True))
    assert without.weights == having.weights == 4 * 1_543_714_304
    assert without.trained == 16 * 18_464_768
    assert having.activations < without.activations / 10


def test_memory_grows_with_the_batch_and_the_text() -> None:
    shape = SMALL["llama"]
    sizes = [shapes.to_train(shape, batch=batch, tokens=tokens).total for batch, tokens in ((1, 64), (2, 64), (2, 128))]
    assert sizes == sorted(set(sizes))


def test_serving_takes_less_than_training() -> None:
    for base in CATALOGUE.values():
        assert base.shape is not None
        assert shapes.to_serve(base.shape, batch=8, tokens=512).total < shapes.to_train(base.shape, batch=8, tokens=512).total
