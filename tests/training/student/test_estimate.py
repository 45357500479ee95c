"""What a training's first steps foretell, as a command of its own and by the training itself."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import small_students
from training.student import __main__ as command
from training.student import lease

FIELDS = {
    "event", "tokens_per_s", "seconds", "steps", "tokens", "peak_memory_bytes", "device", "device_memory_bytes", "fits",
    "truncation", "checkpointing", "micro_batch", "code_version",
}  # fmt: skip


def said(*words: Any, tmp_path: Path, **options: Any) -> small_students.Done:
    events: list[dict] = []
    (tmp_path / "options.json").write_text(json.dumps(options))
    line = [*map(str, words), "--config", str(tmp_path / "options.json")]
    return small_students.Done(command.main(line, lambda event, **values: events.append({"event": event, **values})), events)


@pytest.fixture
def words(cast: small_students.Cast, tmp_path: Path) -> list[Any]:
    return ["--kind", "lora", "--data", cast.data, "--base", cast.base, "--out", tmp_path / "out"]


def test_twenty_steps_foretell_memory_time_and_tokens_and_leave_nothing_behind(words: list[Any], tmp_path: Path) -> None:
    done = said("estimate", *words, tmp_path=tmp_path, preset="tiny", epochs=50)
    assert done.code == 0, done.named("error")
    (figures,) = done.named("estimate")
    assert set(figures) == FIELDS
    assert figures["steps"] == 600 and figures["micro_batch"] == 8 and figures["fits"] and not figures["checkpointing"]
    assert 0 < figures["peak_memory_bytes"] < figures["device_memory_bytes"] and figures["seconds"] > 0
    assert figures["tokens"] % 50 == 0 and figures["truncation"]["max_tokens"] == 64
    assert not done.named("done") and not done.named("epoch") and not (tmp_path / "out").exists()


def test_a_training_says_the_same_of_itself(words: list[Any], tmp_path: Path) -> None:
    done = said("fit", *words, tmp_path=tmp_path, preset="tiny", epochs=2)
    (figures,) = done.named("estimate")
    assert set(figures) == FIELDS and figures["steps"] == 24
    assert [event["event"] for event in done.events].index("estimate") < len(done.events) - 1


def test_a_small_corpus_has_fewer_steps_to_go_by(cast: small_students.Cast, tmp_path: Path) -> None:
    few = small_students.write(tmp_path / "few", examples=small_students.corpus(train=9, val=4).examples)
    line = ["estimate", "--kind", "lora", "--data", few, "--base", cast.base, "--out", tmp_path / "out"]
    done = said(*line, tmp_path=tmp_path, preset="tiny", epochs=1)
    assert done.code == 0 and done.named("estimate")[0]["steps"] == 2


def test_only_a_lora_needs_an_estimate(words: list[Any], tmp_path: Path) -> None:
    done = said("estimate", "--kind", "ridge", *words[2:], tmp_path=tmp_path)
    assert done.code == 1 and "Only a lora takes long enough" in done.named("error")[0]["text"]


def test_the_lease_is_held_while_it_works_and_free_afterwards(
    words: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "gpu.lease", []
    monkeypatch.setattr(command, "run", lambda args, emit: seen.append(lease.held(path)))
    assert said("fit", *words, "--lease", path, tmp_path=tmp_path).code == 0
    assert seen[0] is not None and seen[0]["kind"] == "lora" and lease.held(path) is None
