"""What stands between a version and its alias: each gate open, each gate closed, and what the sentences say."""

from typing import Any

import pytest

from distillery_site.common.errors import BadInput
from scoring import gates, services
from scoring.engine.base import EngineDown
from scoring.models import Benchmark
from tests.scoring import world
from training.models import Promotion
from training.services import model_for
from training.services import promote as without_gates


def near(i: int, c: int) -> float:
    return 0.2 + 0.2 * (i % 2)


def far(i: int, c: int) -> float:
    return near(i, c) + (1 - c)


def useless(i: int, c: int) -> float:
    """As near as can be on impact, off the scale's other end on evidence."""
    return near(i, c) if c == 0 else 5.0


def checked(model: Any, filter_: Any, alias: str = "champion") -> dict[str, gates.Gate]:
    return {gate.gate: gate for gate in gates.check(model, filter_, alias)}


@pytest.fixture
def newer(dataset: Any, root: Any, model: Any) -> Any:
    return world.model(dataset, root, "news-lora", "lora")


def test_all_gates_are_open_to_a_version_that_answers_as_it_did_and_errs_little(model, engine, uplifting):
    world.measured(model, near)
    found = checked(model, uplifting.filter)
    assert {name: gate.passed for name, gate in found.items()} == {
        "golden": True, "measured": True, "champion": True, "constant": True, "opened": None,
    }  # fmt: skip
    assert "It misses the oracle by 0.30 points (0." in found["measured"].sentence
    assert "There is no champion yet, so it is compared with the best constant" in found["champion"].sentence


def test_a_student_that_answers_otherwise_than_when_it_was_saved_is_closed_out(dataset, root, engine, uplifting):
    golden = {"texts": ["water"], "predictions": [[9.0, 9.0]]}
    found = checked(world.model(dataset, root, manifest={"golden": golden}), uplifting.filter)
    assert not found["golden"].passed
    assert "off by 9.0000 points" in found["golden"].sentence


def test_predictions_of_another_shape_are_no_match(dataset, root, engine, uplifting):
    golden = {"texts": ["water"], "predictions": [[2.0, 0.0, 0.0]]}
    assert not checked(world.model(dataset, root, manifest={"golden": golden}), uplifting.filter)["golden"].passed


def test_a_manifest_without_reference_texts_is_no_proof(dataset, root, engine, uplifting):
    found = checked(world.model(dataset, root, manifest={}), uplifting.filter)
    assert "holds no reference texts" in found["golden"].sentence


def test_a_scoring_process_that_is_down_closes_a_gate_and_says_so(model, engine, uplifting, monkeypatch):
    def down(**_: Any) -> None:
        raise EngineDown("The scoring process does not answer.")

    monkeypatch.setattr(engine, "score", down)
    found = checked(model, uplifting.filter)["golden"]
    assert (found.passed, found.sentence) == (
        False,
        "Its reference texts could not be asked again: The scoring process does not answer.",
    )


def test_without_a_test_benchmark_three_gates_stay_closed(model, engine, uplifting):
    world.measured(model, near, split="val")
    found = checked(model, uplifting.filter)
    assert [name for name, gate in found.items() if gate.passed is False] == ["measured", "champion", "constant"]
    assert "opened" not in found


def test_a_benchmark_that_still_runs_is_named(model, engine, uplifting):
    run = services.start_benchmark(model=model)
    assert checked(model, uplifting.filter)["measured"].sentence == f"Benchmark {run.pk} of it on the test split is queued."


def test_a_benchmark_of_other_weights_does_not_count(model, engine, uplifting):
    world.measured(model, near)
    Benchmark.objects.update(manifest_sha256="0" * 64)
    assert not checked(model, uplifting.filter)["measured"].passed


def test_a_version_that_is_surely_worse_than_the_champion_is_closed_out(model, newer, engine, uplifting):
    world.measured(model, near), world.measured(newer, far)
    without_gates(model=model, filter=uplifting.filter)
    found = checked(newer, uplifting.filter)["champion"]
    assert not found.passed
    assert found.sentence.startswith("Beside news-ridge v1 on the same 16 test articles of news: ")
    assert "news-lora v1 is worse by 1.00 [1.00, 1.00] on Impact; the rest is within noise." in found.sentence


def test_a_version_within_noise_of_the_champion_passes(model, newer, engine, uplifting):
    world.measured(model, near), world.measured(newer, lambda i, c: near(i + 1, c))
    without_gates(model=model, filter=uplifting.filter)
    found = checked(newer, uplifting.filter)["champion"]
    assert found.passed and "within noise" in found.sentence


def test_a_champion_that_was_not_measured_on_the_same_rows_closes_the_gate(model, newer, engine, uplifting):
    world.measured(newer, near)
    without_gates(model=model, filter=uplifting.filter)
    found = checked(newer, uplifting.filter)["champion"]
    assert not found.passed and "news-ridge v1 has not been measured on the test split of news yet" in found.sentence


def test_the_champion_itself_is_not_compared(model, engine, uplifting):
    world.measured(model, near)
    without_gates(model=model, filter=uplifting.filter)
    assert checked(model, uplifting.filter)["champion"].sentence == "It is the champion already."


def test_without_a_champion_it_stands_beside_ridge(model, newer, engine, uplifting):
    world.measured(model, near), world.measured(newer, far)
    found = checked(newer, uplifting.filter)["champion"]
    assert not found.passed
    assert "There is no champion yet, so it is compared with news-ridge v1 on the same 16 articles" in found.sentence


def test_a_dimension_on_which_a_constant_does_better_closes_a_gate(model, engine, uplifting):
    world.measured(model, useless)
    found = checked(model, uplifting.filter)["constant"]
    assert not found.passed
    assert found.sentence.startswith("Beyond noise the best constant does better on Evidence (5.00 against ")


def test_a_challenger_has_only_to_answer_and_to_be_measured(model, newer, engine, uplifting):
    world.measured(model, near), world.measured(newer, far)
    without_gates(model=model, filter=uplifting.filter)
    assert list(checked(newer, uplifting.filter, "challenger")) == ["golden", "measured", "opened"]


def test_how_often_the_test_split_was_opened_is_told_and_holds_nobody_up(model, newer, engine, uplifting):
    world.measured(model, near)
    assert checked(model, uplifting.filter)["opened"].sentence == "The test split of news was opened once, for one version."
    world.measured(newer, near)
    told = checked(model, uplifting.filter)["opened"]
    assert told.sentence == "The test split of news was opened 2 times, once for each of 2 versions."
    assert told.passed is None


def test_promoting_writes_the_gates_down(model, engine, uplifting):
    world.measured(model, near)
    before, found = gates.promote(model=model, filter=uplifting.filter)
    assert (before, model_for(uplifting.filter)) == (None, model)
    assert Promotion.objects.get().gates == [gate.as_dict() for gate in found]


def test_a_closed_gate_holds_a_promotion_up_until_there_is_a_reason(model, engine, uplifting):
    with pytest.raises(BadInput, match="3 gates are closed: It has no benchmark"):
        gates.promote(model=model, filter=uplifting.filter)
    gates.promote(model=model, filter=uplifting.filter, reason="Only it reads Dutch.")
    assert Promotion.objects.get().reason == "Only it reads Dutch."
