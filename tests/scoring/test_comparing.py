"""Two versions on the same rows: what is said of them, on which rows, and when nothing can be said."""

from typing import Any

import pytest

from distillery_site.common.errors import BadInput
from scoring import comparing, movers
from scoring.comparing import NotComparable, compare
from scoring.forest import forest_svg, reach_of
from scoring.models import Benchmark
from tests.scoring import world
from training.models import ModelOutput, ModelVersion


def even(i: int, c: int) -> float:
    """Misses by 0.4 and 0.6 in turn, on everything."""
    return 0.4 + 0.2 * (i % 2)


def wide(i: int, c: int) -> float:
    """As `even` on evidence; on impact a point more."""
    return even(i, c) + (1 - c)


def other_way(i: int, c: int) -> float:
    """`even` with its turns changed: on average the same."""
    return even(i + 1, c)


@pytest.fixture
def first(dataset: Any, root: Any) -> Any:
    return world.model(dataset, root, "news-lora", "lora")


@pytest.fixture
def second(dataset: Any, root: Any) -> Any:
    return world.model(dataset, root)


def test_it_says_where_one_is_better_and_that_the_rest_is_noise(first, second):
    world.measured(first, even), world.measured(second, wide)
    [found] = compare(first, second)
    assert found.sentence == "news-lora v1 is better by 1.00 [1.00, 1.00] on Impact; the rest is within noise."
    impact, evidence = found.lines
    assert (impact.first, impact.second, impact.change.n) == (pytest.approx(0.5), pytest.approx(1.5), 16)
    assert (impact.verdict, evidence.verdict) == ("better", "noise")
    assert impact.change.value == pytest.approx(-1.0)


def test_the_other_way_round_it_is_worse_by_as_much(first, second):
    world.measured(first, even), world.measured(second, wide)
    [found] = compare(second, first)
    assert found.sentence == "news-ridge v1 is worse by 1.00 [1.00, 1.00] on Impact; the rest is within noise."
    assert found.mean_sentence.endswith("on average, news-lora v1 by 0.50: farther by 0.50 [0.50, 0.50].")


def test_it_takes_no_noise_for_a_finding(first, second):
    world.measured(first, even), world.measured(second, other_way)
    [found] = compare(first, second)
    assert found.sentence == (
        "Nothing tells news-lora v1 and news-ridge v1 apart: on every dimension the difference is within noise."
    )
    assert "within noise, a difference of 0.00 [" in found.mean_sentence


def test_p_values_are_corrected_for_the_number_of_dimensions(first, second):
    world.measured(first, even), world.measured(second, wide)
    impact, evidence = compare(first, second)[0].lines
    assert impact.p == pytest.approx(2 * impact.change.p)
    assert evidence.p == 1.0


def test_only_rows_that_both_predicted_count(first, second):
    world.measured(first, even)
    other = world.measured(second, wide)
    other.predictions.first().delete()
    [found] = compare(first, second)
    assert (found.n, found.left_out) == (15, 0)


def test_fewer_than_ten_rows_say_nothing(first, second):
    world.measured(first, even)
    other = world.measured(second, wide)
    keep = other.predictions.values_list("pk", flat=True)[:9]
    other.predictions.exclude(pk__in=list(keep)).delete()
    [found] = compare(first, second)
    assert found.sentence == "Only 9 articles were scored by both; with fewer than 10 nothing can be said."
    assert {line.verdict for line in [found.mean, *found.lines]} == {"few"}


def test_rows_that_the_other_one_has_learnt_from_are_left_out(first, oracle, uplifting, root):
    from training import datasets

    again = datasets.freeze(name="again", versions=[uplifting], oracle=oracle, seed=5, fractions=(0.6, 0.2, 0.2))
    second = world.model(again, root, "again-ridge")
    world.measured(first, even), world.measured(second, wide, dataset=first.dataset)
    [found] = compare(first, second)
    held_out = set(again.items.filter(split="test").values_list("article", flat=True))
    assert set(found.article_ids) <= held_out
    assert found.left_out == 16 - found.n > 0


def test_it_names_the_benchmark_that_is_missing(first, second):
    world.measured(first, even)
    with pytest.raises(NotComparable, match="news-ridge v1 has not been measured on the test split of news yet") as refused:
        compare(first, second)
    assert [(one.model, one.dataset, one.run) for one in refused.value.missing] == [(second, first.dataset, None)]


def test_it_compares_no_errors_on_different_data_sets(first, oracle, uplifting, root):
    from training import datasets

    second = world.model(datasets.freeze(name="again", versions=[uplifting], oracle=oracle, seed=5), root, "again-ridge")
    world.measured(first, even), world.measured(second, wide)
    with pytest.raises(NotComparable, match="errors on the articles of different data sets can't be compared") as refused:
        compare(first, second)
    assert [(one.model, one.dataset.name) for one in refused.value.missing] == [(second, "news")]


def test_it_refuses_two_that_answer_nothing_in_common(first, root, oracle):
    from tests.training import world as newsroom
    from training import datasets

    risk = newsroom.version("risk", ("shock",))
    newsroom.labelled(20, risk, oracle)
    second = world.model(datasets.freeze(name="risks", versions=[risk], oracle=oracle), root, "risks-ridge")
    with pytest.raises(NotComparable, match="don't both answer for the same rubric version of any filter"):
        compare(first, second)


def test_it_refuses_to_compare_a_version_with_itself(first):
    with pytest.raises(BadInput, match="can't be compared with itself"):
        compare(first, first)


def test_validation_and_test_are_compared_apart(first, second):
    for model in (first, second):
        world.measured(model, even, split="val")
    assert compare(first, second, split="val")[0].split == "val"
    with pytest.raises(NotComparable):
        compare(first, second, split="test")


def test_it_answers_in_json(first, second):
    world.measured(first, even), world.measured(second, wide)
    told = compare(first, second)[0].as_dict()
    assert (told["first"], told["second"], told["n"]) == ("news-lora/v1", "news-ridge/v1", 16)
    assert told["dimensions"][0] | {"p": 0, "p_holm": 0} == {
        "dimension": "impact", "first": 0.5, "second": 1.5, "difference": -1.0, "interval": [-1.0, -1.0],
        "n": 16, "p": 0, "p_holm": 0, "verdict": "better",
    }  # fmt: skip


def test_the_biggest_movers_come_first_with_all_three_scores(first, second, uplifting):
    uplifting.labels.update(reasoning="Water for all.")
    world.measured(first, even)
    other = world.measured(second, even)
    far = other.predictions.order_by("-pk").first()
    Benchmark.objects.get(pk=other.pk).predictions.filter(pk=far.pk).update(raw=[far.raw[0] / 2, far.raw[1]])
    [found] = compare(first, second)
    [moved] = movers.movers(found)
    assert moved.article.pk == far.article_id
    assert moved.reason == "Water for all."
    assert moved.by_move[0].dimension == "Impact"
    assert moved.by_move[0].moved == pytest.approx(far.raw[0] / 2, abs=0.01)


def test_the_worst_errors_are_those_of_either(first, second):
    world.measured(first, even), world.measured(second, lambda i, c: 3.0 if i == 4 else 0.1)
    [found] = compare(first, second)
    worst = movers.worst(found)
    assert (worst[0].second_error, len(worst)) == (pytest.approx(3.0), 10)
    assert worst[1].first_error == pytest.approx(0.6)


def test_the_forest_says_in_words_what_it_draws(first, second):
    world.measured(first, even), world.measured(second, wide)
    [found] = compare(first, second)
    drawn = [forest_svg(line, reach_of(found.lines), first="A", second="B") for line in found.lines]
    assert "Impact: A is nearer to the oracle by 1.00 [1.00, 1.00] points; n = 16" in drawn[0]
    assert 'class="forest-sure"' in drawn[0] and 'x="0%"' in drawn[0]
    assert "which is within noise" in drawn[1] and 'class="forest-noise"' in drawn[1]


def test_an_imported_version_is_compared_where_its_labels_are(first, second, dataset):
    stranger = ModelVersion.objects.create(name="brought", number=1, kind="lora", manifest_sha256="b" * 64, manifest={})
    for place, (version, key) in enumerate(dataset.outputs):
        ModelOutput.objects.create(model=stranger, position=place, version=version, dimension=key)
    world.measured(first, even), world.measured(stranger, wide, dataset=dataset)
    assert comparing.compare(first, stranger)[0].n == 16
