"""Adapters from elsewhere: in every spelling they score as plain peft scores the original, or a sentence says why not."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from distillery_site.common.errors import BadInput, DistilleryError
from tests.fakes import elsewhere
from tests.fakes.elsewhere import Tensors
from tests.fakes.tiny_base import make_tiny_base
from training.student import artifact
from training.student.bases import store
from training.student.data import Output
from training.student.travel import adapters

Names = Callable[[str], str]
WISH = adapters.Wish(
    outputs=tuple(Output("gloom", 1, key) for key in ("crisis", "strike", "fire")),
    view={"fields": ["text"], "max_words": 400},
    rubric_hashes={"gloom": "g"},
    texts=tuple(elsewhere.TEXTS),
    base="tiny",
    max_tokens=64,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("adapters from elsewhere")
    store.adopt(make_tiny_base(place / "source"), "tiny", place / "bases")
    return place


@pytest.fixture(scope="module")
def base(root: Path) -> Path:
    return root / "source"


@pytest.fixture(scope="module")
def original(root: Path, base: Path) -> Path:
    return elsewhere.trained(base, root / "the original")


@pytest.fixture(scope="module")
def expected(original: Path, base: Path) -> np.ndarray:
    return elsewhere.scores(base, original)


@pytest.fixture
def take(root: Path, tmp_path: Path) -> Callable[..., "Taken"]:
    def run(folder: Path, **wishes: Any) -> Taken:
        said: list[str] = []
        out = tmp_path / "a student"

        def emit(event: str, **values: Any) -> None:
            said.extend([values["text"]] if event == "note" else [])

        adapters.take_in(folder, replace(WISH, **wishes), out, root / "bases", emit)
        return Taken(out, artifact.load(out, bases=root / "bases", golden=True), said)

    return run


class Taken:
    def __init__(self, folder: Path, student: artifact.Student, notes: list[str]):
        self.folder, self.student, self.notes = folder, student, notes

    def scores(self) -> np.ndarray:
        return self.student.predict(elsewhere.TEXTS)


def in_memory(name: str) -> str:
    return re.sub(r"(score|classifier)\.", r"\1.modules_to_save.default.", re.sub(r"(lora_[AB])\.", r"\1.default.", name))


SPELLINGS: dict[str, Names] = {
    "as peft writes it today": lambda name: name,
    "as peft has it in memory": in_memory,
    "with an adapter's own name": lambda name: re.sub(r"(lora_[AB])\.", r"\1.news-2023.", name),
    "one model. short": lambda name: name.replace("base_model.model.model.", "base_model.model."),
    "without any prefix": lambda name: name.removeprefix("base_model.model.model."),
    "inside a wrapper": lambda name: "module._orig_mod." + name,
    "with a head saved whole": lambda name: name.replace("score.", "score.modules_to_save."),
    "with a head called classifier": lambda name: name.replace("score.", "classifier."),
    "with a head of a name of its own": lambda name: name.replace("base_model.model.score.", "regression."),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_it_scores_as_plain_peft_does_in_every_spelling(
    original: Path, expected: np.ndarray, tmp_path: Path, take: Callable[..., Taken], spelling: str
) -> None:
    taken = take(elsewhere.copied(original, tmp_path / "old folder", SPELLINGS[spelling]))
    assert np.abs(taken.scores() - expected).max() < 1e-5
    assert set(load_file(taken.folder / "model" / "adapter_model.safetensors")) == set(
        load_file(original / "adapter_model.safetensors")
    )


@pytest.mark.parametrize("inside", ["weight", "score.weight", "base_model.model.score.weight"])
def test_a_head_in_a_file_of_its_own_is_found(
    original: Path, expected: np.ndarray, tmp_path: Path, take: Callable[..., Taken], inside: str
) -> None:
    folder = elsewhere.copied(original, tmp_path / "old", SPELLINGS["one model. short"], modules_to_save=None)
    save_file({inside: elsewhere.without_head(folder)["weight"]}, folder / "head.safetensors")
    taken = take(folder)
    assert np.abs(taken.scores() - expected).max() < 1e-5
    assert "Its head was in a file of its own, head.safetensors." in taken.notes


def test_a_configuration_of_peft_0_4_is_enough(
    original: Path, expected: np.ndarray, tmp_path: Path, take: Callable[..., Taken]
) -> None:
    known = json.loads((original / "adapter_config.json").read_text())
    gone = {key: ... for key in known if key not in elsewhere.OLD_KEYS}
    old = {"modules_to_save": None, "peft_type": "PeftType.LORA", "revision": None}
    taken = take(elsewhere.copied(original, tmp_path / "old", in_memory, **gone, **old))
    assert np.abs(taken.scores() - expected).max() < 1e-5 and "not told" in taken.student.manifest["origin"]["peft_version"]


def test_keys_of_a_later_peft_are_dropped_with_a_word(
    original: Path, expected: np.ndarray, tmp_path: Path, take: Callable[..., Taken]
) -> None:
    taken = take(elsewhere.copied(original, tmp_path / "new", use_hyperlora=False, hyper_rank={"q_proj": 2}))
    assert np.abs(taken.scores() - expected).max() < 1e-5
    assert any("unset: use_hyperlora" in note for note in taken.notes)
    assert any("does not know the key hyper_rank = {'q_proj': 2}" in note and "not those of the original" in note
               for note in taken.notes)  # fmt: skip


HONOURED: dict[str, dict[str, Any]] = {
    "rank-stabilised": {"use_rslora": True},
    "DoRA": {"use_dora": True},
    "a bias of LoRA B": {"lora_bias": True},
    "ranks and alphas of their own": {"rank_pattern": {"v_proj": 2}, "alpha_pattern": {"model.layers.0.self_attn.q_proj": 40}},
    "some layers only": {"layers_to_transform": [1]},
    "some layers left out": {"exclude_modules": ["layers.0.self_attn.v_proj"]},
    "a regular expression": {"target_modules": r"model\.layers\.\d+\.self_attn\.(q|o)_proj"},
    "every linear layer": {"target_modules": "all-linear"},
}


@pytest.mark.parametrize("kind", HONOURED)
def test_settings_that_change_the_scores_are_honoured(base: Path, tmp_path: Path, take: Callable[..., Taken], kind: str) -> None:
    folder = elsewhere.trained(base, tmp_path / "theirs", **HONOURED[kind])
    assert np.abs(take(folder).scores() - elsewhere.scores(base, folder)).max() < 1e-5


def test_a_regular_expression_survives_a_longer_name(base: Path, tmp_path: Path, take: Callable[..., Taken]) -> None:
    made = elsewhere.trained(base, tmp_path / "theirs", target_modules=r"model\.layers\.\d+\.self_attn\.(q|o)_proj")
    expression = r"layers\.\d+\.self_attn\.(q|o)_proj"
    short = elsewhere.copied(made, tmp_path / "short", SPELLINGS["one model. short"], target_modules=expression)
    assert np.abs(take(short).scores() - elsewhere.scores(base, made)).max() < 1e-5


def test_a_stock_head_may_have_a_bias_that_its_family_lacks(
    original: Path, expected: np.ndarray, tmp_path: Path, take: Callable[..., Taken]
) -> None:
    folder = elsewhere.copied(original, tmp_path / "old")
    bias = torch.tensor([1.0, 2.0, 4.0])
    save_file({**elsewhere.without_head(folder), "bias": bias}, folder / "score.safetensors")
    assert np.abs(take(folder).scores() - expected - bias.numpy()).max() < 1e-5


@pytest.mark.parametrize("bias", [True, False])
def test_a_head_on_the_mean_of_the_token_vectors(base: Path, tmp_path: Path, take: Callable[..., Taken], bias: bool) -> None:
    folder = elsewhere.trained(base, tmp_path / "theirs", stock=False)
    head = {"weight": torch.randn(3, 32)} | ({"bias": torch.ones(3)} if bias else {})
    save_file(head, folder / "head.safetensors")
    with pytest.raises(BadInput, match="add --pooling last"):
        take(folder)
    taken = take(folder, pooling="mean")
    assert np.abs(taken.scores() - elsewhere.mean_scores(base, folder, head)).max() < 1e-5


def test_an_encoder_brings_its_classifier(root: Path, tmp_path: Path, take: Callable[..., Taken]) -> None:
    from transformers import AutoTokenizer, BertConfig, BertModel

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(root / "source")
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    BertModel(BertConfig(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **shape)).save_pretrained(
        tmp_path / "bert"
    )
    tokenizer.save_pretrained(tmp_path / "bert")
    store.adopt(tmp_path / "bert", "bert", root / "bases")
    folder = elsewhere.trained(tmp_path / "bert", tmp_path / "theirs", target_modules=["query", "value"])
    taken = take(elsewhere.copied(folder, tmp_path / "old", in_memory), base="bert")
    assert np.abs(taken.scores() - elsewhere.scores(tmp_path / "bert", folder)).max() < 1e-5


def test_the_manifest_says_where_it_comes_from_and_claims_no_training(original: Path, take: Callable[..., Taken]) -> None:
    taken = take(original)
    manifest = taken.student.manifest
    assert manifest["dataset"] is None and manifest["metrics"]["val_mae"] is None
    assert manifest["origin"]["folder"] == "the original"
    assert set(manifest["config"]) == {"base", "pooling", "rank", "alpha", "max_tokens", "truncation", "instruction"}
    assert manifest["metrics"]["batch_max_diff"] <= artifact.TOLERANCE
    assert len(manifest["golden"]["texts"]) == len(manifest["golden"]["predictions"]) >= 3
    assert str(original.parent) not in json.dumps(manifest), "a path of the trainer's machine is nobody's business"


def test_without_a_word_about_it_the_student_reads_512_tokens_or_what_its_tokenizer_cut(
    original: Path, tmp_path: Path, take: Callable[..., Taken]
) -> None:
    assert take(original, max_tokens=0).student.manifest["config"]["max_tokens"] == 512
    folder = elsewhere.copied(original, tmp_path / "cut")
    stored = json.loads((folder / "tokenizer.json").read_text())
    stored["truncation"] = {"direction": "Right", "max_length": 48, "strategy": "LongestFirst", "stride": 0}
    (folder / "tokenizer.json").write_text(json.dumps(stored))
    assert take(folder, max_tokens=0).student.manifest["config"]["max_tokens"] == 48


def rewritten(folder: Path, change: Callable[[Tensors], Tensors]) -> Path:
    save_file(change(load_file(weights(folder))), weights(folder))
    return folder


def less(name: str) -> Callable[[Tensors], Tensors]:
    return lambda found: {key: value for key, value in found.items() if name not in key}


def with_more(found: Tensors) -> Tensors:
    return {**found, "base_model.model.model.layers.7.q.lora_A.weight": torch.ones(4, 32)}


def other(name: str, rows: int, columns: int) -> Callable[[Tensors], Tensors]:
    return lambda found: {key: torch.ones(rows, columns) if name in key else value for key, value in found.items()}


def weights(folder: Path) -> Path:
    return folder / elsewhere.WEIGHTS


def pickled_head(folder: Path) -> None:
    elsewhere.without_head(folder)
    (folder / "head.pt").write_bytes(b"anything")


REFUSED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a lost matrix": (lambda f: rewritten(f, less("1.self_attn.q_proj.lora_B")), r"1 tensor is missing: .*q_proj\.lora_B"),
    "one too many": (lambda f: rewritten(f, with_more), r"1 tensor is left over: layers\.7\.q\.lora_A"),
    "another base": (lambda f: rewritten(f, other("0.self_attn.q_proj.lora_A", 4, 48)), "4 × 48 and should be 4 × 32"),
    "more rows": (lambda f: rewritten(f, other("score", 5, 32)), "head has 5 rows, and the filters have 3 dimensions"),
    "no head": (elsewhere.without_head, "it holds no head of 3 rows and 32 columns"),
    "a pickled head": (pickled_head, "head.pt is a pickle"),
    "NaN": (lambda f: rewritten(f, lambda t: {k: v * float("nan") for k, v in t.items()}), "holds NaN or infinity"),
    "a cut file": (lambda f: os.truncate(weights(f), 900), "damaged or was not copied whole"),
    "no weights": (lambda f: weights(f).unlink(), "has no adapter_model.safetensors."),
    "a pickle": (lambda f: weights(f).rename(f / "adapter_model.bin"), "is a pickle, .*weights_only=True"),
    "no configuration": (lambda f: (f / "adapter_config.json").unlink(), "has no adapter_config.json, so it is not a PEFT"),
    "no JSON": (lambda f: (f / "adapter_config.json").write_text("{"), "can't be read as JSON"),
    "a stranger's student.json": (lambda f: (f / "student.json").write_text('{"outputs": 3}'), "is not what an export wrote"),
    "a link that leads out": (lambda f: (f / "readme.txt").symlink_to("/etc/hostname"), "is a link that leads out of the"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_folder_that_does_not_fit_is_refused_in_a_sentence(
    original: Path, tmp_path: Path, take: Callable[..., Taken], fault: str
) -> None:
    break_it, sentence = REFUSED[fault]
    folder = elsewhere.copied(original, tmp_path / "broken")
    break_it(folder)
    with pytest.raises(DistilleryError, match=sentence):
        take(folder)
    assert not (tmp_path / "a student" / artifact.MANIFEST).exists()


SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "trained biases": ({"bias": "lora_only"}, "bias = 'lora_only': it trained the base's own biases"),
    "PiSSA": ({"init_lora_weights": "pissa_niter_4"}, "changes the base's own weights: save it again"),
    "a quantised base": ({"loftq_config": {"loftq_bits": 4}}, "quantised"),
    "repeated layers": ({"layer_replication": [[0, 2], [0, 2]]}, "layers were repeated"),
    "another method": ({"peft_type": "IA3"}, "It is a IA3 adapter; only LoRA"),
    "no alpha": ({"lora_alpha": ...}, "does not say lora_alpha"),
    "an alpha for no layer": ({"alpha_pattern": {"nowhere.proj": 3}}, "alpha_pattern names nowhere.proj, which is no"),
    "layers that aren't there": ({"target_modules": ["Wqkv"]}, "Peft can't put this adapter on the base"),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_that_cannot_be_honoured_are_refused(
    original: Path, tmp_path: Path, take: Callable[..., Taken], setting: str
) -> None:
    change, sentence = SETTINGS[setting]
    with pytest.raises(BadInput, match=sentence):
        take(elsewhere.copied(original, tmp_path / "theirs", **change))


def test_the_base_is_found_by_name_public_name_hash_or_what_the_adapter_calls_it(root: Path, tmp_path: Path) -> None:
    card = store.card(root / "bases" / "tiny")
    place = tmp_path / "bases"
    (place / "tiny").mkdir(parents=True)
    artifact.write_json(place / "tiny" / store.CARD, {**vars(card), "home": "makers/Tiny-0.5B"})
    ways = [("tiny", "x"), (card.sha256[:12], ""), ("sha256:" + card.sha256, ""), ("makers/Tiny-0.5B", "")]
    told = ["/home/someone else/models/Tiny-0.5B/", "makers/tiny-0.5b", "C:\\models\\tiny"]
    for wanted, named in [*ways, *(("", name) for name in told)]:
        assert adapters.find_base(wanted, {"base_model_name_or_path": named}, place) == place / "tiny"
    with pytest.raises(BadInput, match=r"names, '/home/a/other', is none of those that are here \(tiny\)"):
        adapters.find_base("", {"base_model_name_or_path": "/home/a/other"}, place)
    with pytest.raises(BadInput, match="fetch_base minilm"):
        adapters.find_base("", {"base_model_name_or_path": "/data/all-MiniLM-L6-v2"}, place)
