"""The faults that once passed unseen: frozen adapters, wrong padding, half-loaded weights, a head that starts anywhere."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, Qwen2Config

from distillery_site.common.errors import Permanent
from tests.fakes import small_students
from tests.fakes.tiny_base import make_tiny_base
from training.student import artifact, config, tokens
from training.student.data import read_corpus
from training.student.lora import model, structure, trainer


@pytest.fixture
def recipe() -> config.LoraConfig:
    made = config.make("lora", {"preset": "tiny"})
    assert isinstance(made, config.LoraConfig)
    return made


@pytest.fixture
def tokenizer(cast: small_students.Cast) -> Any:
    return tokens.tokenizer_of(cast.base)


@pytest.fixture
def rows(cast: small_students.Cast, tokenizer: Any, recipe: config.LoraConfig) -> trainer.Rows:
    return trainer.Rows(read_corpus(cast.data).split("train"), tokenizer, recipe)


def built(cast: small_students.Cast, tokenizer: Any, recipe: config.LoraConfig, pooling: Any) -> model.Scorer:
    return model.build(cast.base, tokenizer, pooling, 3, recipe)


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_the_head_starts_near_the_mean_of_each_output(
    cast: small_students.Cast, tokenizer: Any, recipe: config.LoraConfig, rows: trainer.Rows, pooling: str
) -> None:
    scorer = built(cast, tokenizer, recipe, pooling)
    trainer.start(scorer, rows, recipe)
    texts = [example.text for example in read_corpus(cast.data).split("train")]
    first = model.predict(scorer, tokenizer, texts, tokens.Reading(recipe.max_tokens))
    assert np.abs(first.mean(axis=0) - rows.mean).max() < 0.2 * rows.scale.min()


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_folding_the_scale_into_the_head_changes_no_prediction(
    cast: small_students.Cast, tokenizer: Any, recipe: config.LoraConfig, rows: trainer.Rows, pooling: str
) -> None:
    scorer = built(cast, tokenizer, recipe, pooling)
    trainer.start(scorer, rows, recipe)
    before = model.predict(scorer, tokenizer, ["crisis", "the school"], tokens.Reading(64))
    scorer.fold()
    assert (scorer.scale == 1).all()
    assert np.allclose(model.predict(scorer, tokenizer, ["crisis", "the school"], tokens.Reading(64)), before, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_on_either_side_does_not_change_a_score(
    cast: small_students.Cast, tokenizer: Any, recipe: config.LoraConfig, rows: trainer.Rows, side: str
) -> None:
    scorer = model.read(cast.lora, cast.base, tokenizer, "last", 3)
    tokenizer.padding_side = side
    texts = ["crisis", "the school in the town on the river", "strike " * 20]
    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    with model.evaluating(scorer):
        together = scorer(inputs["input_ids"], inputs["attention_mask"]).double().numpy()
    assert np.allclose(together, model.predict(scorer, tokenizer, texts, tokens.Reading(64)), atol=artifact.TOLERANCE)


def test_a_tokenizer_without_padding_pads_with_its_end_token(
    cast: small_students.Cast, recipe: config.LoraConfig, tmp_path: Path
) -> None:
    bare = make_tiny_base(tmp_path / "bare", pad=False)
    tokenizer = tokens.tokenizer_of(bare)
    scorer = model.build(bare, tokenizer, "last", 3, recipe)
    assert scorer.stock.config.pad_token_id == tokenizer.pad_token_id == tokenizer.eos_token_id


def test_a_model_that_pads_otherwise_than_its_tokenizer_is_refused(
    cast: small_students.Cast, tokenizer: Any, recipe: config.LoraConfig
) -> None:
    scorer = built(cast, tokenizer, recipe, "last")
    scorer.stock.config.pad_token_id = 0
    with pytest.raises(Permanent, match="pads with token 0 and the tokenizer with 1"):
        model.check(scorer, tokenizer, model.parameters(scorer)["trainable"])


def test_frozen_adapters_are_refused(cast: small_students.Cast, tokenizer: Any, recipe: config.LoraConfig) -> None:
    scorer = built(cast, tokenizer, recipe, "last")
    expected = model.parameters(scorer)["trainable"]
    next(p for name, p in scorer.named_parameters() if ".lora_A." in name).requires_grad_(False)
    with pytest.raises(Permanent, match="parameters would be trained where LoRA on this base means"):
        model.check(scorer, tokenizer, expected)


def test_adapters_that_never_move_stop_the_training(
    cast: small_students.Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "unmoved", lambda scorer: ["layers.0.q_proj.lora_B"])
    done = small_students.run("--kind", "lora", "--data", cast.data, "--out", tmp_path, "--base", cast.base, preset="tiny")
    assert done.code == 1 and "have not moved" in done.named("error")[0]["text"]


def test_every_adapter_has_moved_after_training(cast: small_students.Cast, tokenizer: Any) -> None:
    assert model.unmoved(model.read(cast.lora, cast.base, tokenizer, "last", 3)) == []


def wrong_prefix(tensors: dict) -> dict:
    return {name.replace("base_model.model.model.", "base_model.model."): value for name, value in tensors.items()}


def in_memory_names(tensors: dict) -> dict:
    return {name.replace("lora_A.weight", "lora_A.default.weight"): value for name, value in tensors.items()}


def without_head(tensors: dict) -> dict:
    return {name: value for name, value in tensors.items() if "score" not in name}


def one_more(tensors: dict) -> dict:
    return {**tensors, "base_model.model.extra.lora_A.weight": torch.ones(1)}


@pytest.mark.parametrize("spoil", [wrong_prefix, in_memory_names, without_head, one_more])
def test_weights_that_do_not_fill_every_tensor_are_refused(
    cast: small_students.Cast, tokenizer: Any, recipe: config.LoraConfig, spoil: Any
) -> None:
    tensors = load_file(cast.lora / "model" / "adapter_model.safetensors")
    with pytest.raises(artifact.ArtifactError, match="don't fit their base"):
        built(cast, tokenizer, recipe, "last").fill(spoil(tensors))


def test_another_base_under_the_same_name_is_refused(cast: small_students.Cast, tmp_path: Path) -> None:
    make_tiny_base(tmp_path / "tiny", pad=False)
    (tmp_path / "tiny" / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(artifact.ArtifactError, match="other weights than the base"):
        artifact.load(cast.lora, bases=tmp_path)
    with pytest.raises(artifact.ArtifactError, match="not on this machine"):
        artifact.load(cast.lora, bases=tmp_path / "nowhere")


def test_the_stock_head_learns_its_articles(cast: small_students.Cast, tmp_path: Path) -> None:
    few = small_students.write(tmp_path / "few", examples=small_students.corpus(train=16, val=8).examples)
    options = {"preset": "tiny", "epochs": 16, "learning_rate": 1e-2, "dropout": 0.0, "save_steps": 1000}
    done = small_students.run("--kind", "lora", "--data", few, "--out", tmp_path / "out", "--base", cast.base, **options)
    errors = [event["train_mae"] for event in done.named("epoch")]
    assert min(errors) < 0.6 * errors[0]


@pytest.mark.parametrize("kind", ["lora", "lora_mean"])
def test_the_documented_loader_predicts_the_same(cast: small_students.Cast, kind: str) -> None:
    folder = cast.of(kind) / "model"
    assert (folder / "head.safetensors").is_file() == (kind == "lora_mean")
    code = (folder / "README.md").read_text().split("```python\n")[1].split("```")[0]
    code = code.replace('BASE, HERE = "tiny", "."', f"BASE, HERE = {str(cast.base)!r}, {str(folder)!r}")
    found: dict[str, Any] = {}
    exec(code, found)
    expected = artifact.load(folder.parent, bases=cast.base.parent).predict(["An article …"])
    assert np.allclose(found["scores"].detach().numpy(), expected, atol=1e-4)


def test_lora_on_qwen_trains_the_known_number_of_parameters() -> None:
    qwen = Qwen2Config(
        vocab_size=151_936, hidden_size=1536, intermediate_size=8960, num_hidden_layers=28, num_attention_heads=12,
        num_key_value_heads=2, num_labels=14, pad_token_id=151_643, tie_word_embeddings=True,
    )  # fmt: skip
    recipe = config.make("lora", {"preset": "qwen2.5-1.5b"})
    assert isinstance(recipe, config.LoraConfig)
    found = structure.lora_size(qwen, recipe, outputs=14)
    assert found == {"parameters": 18_464_768, "matrices": 392, "head": 1536 * 14, "base": 1_543_714_304}


def test_null_targets_neither_pull_nor_count() -> None:
    nan = float("nan")
    found = torch.tensor([[1.0, 5.0], [3.0, 9.0]], requires_grad=True)
    loss = trainer.masked_loss(found, torch.tensor([[0.0, nan], [3.0, 7.0]]), torch.tensor([1.0, 3.0]))
    loss.backward()
    assert loss.item() == pytest.approx((1 * 1 + 0 * 3 + 2 * 3) / (1 + 3 + 3))
    assert found.grad is not None and found.grad[0, 1] == 0 and not torch.isnan(found.grad).any()
    empty = trainer.masked_loss(found, torch.full((2, 2), nan), torch.ones(2))
    assert empty.item() == 0


def test_the_order_is_a_full_shuffle_that_repeats_and_groups_by_length() -> None:
    lengths = np.random.default_rng(0).integers(5, 200, 203)
    sampler = trainer.ByLength(lengths.tolist(), 8, seed=1)
    first = list(sampler)
    assert sorted(first) == list(range(203)) and first == list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    spread = np.mean([np.ptp(lengths[first[i : i + 8]]) for i in range(0, 200, 8)])
    assert spread < 20


def test_a_loss_that_is_no_number_stops_with_the_articles_named(
    cast: small_students.Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "masked_loss", lambda found, *rest, **more: found.sum() * float("nan"))
    done = small_students.run("--kind", "lora", "--data", cast.data, "--out", tmp_path, "--base", cast.base, preset="tiny")
    (error,) = done.named("error")
    assert done.code == 1 and error["permanent"] and "became nan at step 1, on the articles a" in error["text"]


def test_a_limit_that_cuts_most_of_the_median_article_is_refused(cast: small_students.Cast, tmp_path: Path) -> None:
    options = {"preset": "tiny", "max_tokens": 8, "max_lost_share": 0.5}
    done = small_students.run("--kind", "lora", "--data", cast.data, "--out", tmp_path, "--base", cast.base, **options)
    assert done.code == 1 and "raise max_tokens" in done.named("error")[0]["text"]


def test_recipes_that_start_badly_say_so(cast: small_students.Cast, tmp_path: Path) -> None:
    options = {"preset": "seed-faithful", "base": "tiny", "max_tokens": 64, "epochs": 1, "train_sample": 8}
    done = small_students.run("--kind", "lora", "--data", cast.data, "--out", tmp_path, "--base", cast.base, **options)
    notes = " ".join(event["text"] for event in done.named("note"))
    assert done.code == 0
    assert "the head starts at zero" in notes and "warm-up of 500 steps is longer than the first epoch" in notes


def test_bf16_is_used_where_asked_for_and_prediction_stays_fp32(cast: small_students.Cast, tmp_path: Path) -> None:
    options = {"preset": "tiny", "autocast": "bf16", "epochs": 1, "checkpointing": "on"}
    done = small_students.run("--kind", "lora", "--data", cast.data, "--out", tmp_path, "--base", cast.base, **options)
    manifest, _ = artifact.read_manifest(tmp_path)
    assert done.code == 0 and manifest["arithmetic"] == {"training": "bf16", "prediction": "fp32"}
    assert manifest["metrics"]["batch_max_diff"] <= artifact.TOLERANCE


def test_the_adapter_names_its_base_and_no_path_of_this_machine(cast: small_students.Cast) -> None:
    stored = (cast.lora / "model" / "adapter_config.json").read_text()
    assert '"base_model_name_or_path": "tiny"' in stored and str(cast.base.parent) not in stored
    assert AutoConfig.from_pretrained(cast.base).model_type == "qwen2"
