"""Options that change how a student learns, each seen to do what its sentence says; inert ones are refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from distillery_site.common.errors import BadInput
from tests.fakes import small_students
from training.student import artifact, config, history, tokens
from training.student.lora import model, structure, trainer


def made(**options: Any) -> config.LoraConfig:
    recipe = config.make("lora", {"preset": "tiny", **options})
    assert isinstance(recipe, config.LoraConfig)
    return recipe


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"huber_delta": 0.5}, "huber_delta has no part in the loss mae"),
        ({"average": 3}, "average takes the last 3 epochs and there are only 2"),
        ({"instruction": "  "}, "instruction holds only blanks"),
        ({"target_modules": ["q_proj", "q_proj"]}, "names a layer twice"),
        ({"target_modules": "q_proj"}, "target_modules must be a list"),
        ({"checkpointing": True}, "checkpointing must be auto or on or off"),
        ({"layer_decay": 0.0}, "layer_decay must be at least 0.1"),
    ],
)
def test_what_would_change_nothing_or_makes_no_sense_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        made(**options)


def test_an_option_of_another_kind_is_refused() -> None:
    with pytest.raises(BadInput, match="ridge has no option 'average'"):
        config.make("ridge", {"average": 2})


def test_huber_is_squared_near_zero_and_straight_beyond() -> None:
    found, labels, weights = torch.tensor([[0.5], [3.0]]), torch.zeros(2, 1), torch.ones(2)
    loss = trainer.masked_loss(found, labels, weights, kind="huber", delta=1.0)
    assert loss.item() == pytest.approx((0.5**2 / 2 + (3.0 - 0.5)) / 2)
    assert trainer.masked_loss(found, labels, weights, kind="mse").item() == pytest.approx((0.25 + 9) / 2)


def test_parts_of_a_batch_add_up_to_the_whole_batchs_loss() -> None:
    torch.manual_seed(0)
    found, labels, weights = torch.randn(8, 3), torch.randn(8, 3), torch.rand(8)
    labels[2, 1] = labels[3, 0] = float("nan")
    whole = trainer.masked_loss(found, labels, weights)
    known = trainer.known_weight(labels, weights).sum()
    parts = [trainer.masked_loss(found[i : i + 2], labels[i : i + 2], weights[i : i + 2], of=known) for i in (0, 2, 4, 6)]
    assert sum(parts).item() == pytest.approx(whole.item())  # type: ignore[union-attr]


def test_each_layer_learns_slower_than_the_one_above_and_the_head_at_its_own_rate(cast: small_students.Cast) -> None:
    recipe = made(learning_rate=1e-2, layer_decay=0.5, head_learning_rate=3e-3)
    scorer = model.build(cast.base, tokens.tokenizer_of(cast.base), "last", 3, recipe)
    rates = {id(p): group["lr"] for group in trainer._groups(scorer, recipe, set()) for p in group["params"]}
    assert len(rates) == sum(p.requires_grad for p in scorer.parameters())
    by_name = {name: rates[id(p)] for name, p in scorer.named_parameters() if p.requires_grad}
    assert {rate for name, rate in by_name.items() if ".layers.1." in name} == {1e-2}
    assert {rate for name, rate in by_name.items() if ".layers.0." in name} == {5e-3}
    assert {rate for name, rate in by_name.items() if ".lora_" not in name} == {3e-3}


def test_depth_is_counted_from_the_top() -> None:
    assert structure.depths(["layers.0.a", "layers.11.a", "head"]) == {"layers.0.a": 11, "layers.11.a": 0, "head": 0}


def test_rates_by_layer_and_averaging_go_through_a_whole_training(cast: small_students.Cast, tmp_path: Path) -> None:
    options = {"preset": "tiny", "layer_decay": 0.8, "head_learning_rate": 1e-3, "average": 2, "epochs": 3, "loss": "huber"}
    done = small_students.run("--kind", "lora", "--data", cast.data, "--out", tmp_path, "--base", cast.base, **options)
    assert done.code == 0, done.named("error")
    manifest, _ = artifact.read_manifest(tmp_path)
    mean = manifest["averaged"]
    best = min(epoch["val_mae"] for epoch in json.loads((tmp_path / "training_history.json").read_text())["epochs"])
    assert mean["epochs"] == [2, 3] and mean["kept"] == (mean["val_mae"] < best)
    (note,) = [event["text"] for event in done.named("note") if "mean of the weights" in event["text"]]
    assert note.endswith("the mean is kept." if mean["kept"] else "the epoch is kept.")
    assert manifest["metrics"]["chosen_epoch"] == 3 or not mean["kept"]


def test_the_gap_is_read_in_its_bands() -> None:
    said = [history.reading(history.gap(1.0, val)) for val in (0.9, 1.05, 1.2, 1.4, 1.6)]
    assert said == ["may still improve", "may still improve", "healthy", "moderate overfitting", "high overfitting"]
    assert history.gap(0.0, 1.0) is None and history.gap(None, 1.0) is None and history.gap(1.0, float("nan")) is None
    assert history.reading(history.gap(0.0, 1.0)) == "zero training error: no ratio"
