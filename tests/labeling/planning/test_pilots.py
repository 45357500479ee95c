"""What a pilot says before the rest is paid for, and what an enriched run says of all articles."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from labeling import services
from labeling.models import FilterVersion, LabelingItem, LabelingRun, OracleCall, OracleLabel
from labeling.planning.measuring import prompt_hash_of, prompt_of
from labeling.planning.pilots import Report
from tests.labeling import world

pytestmark = pytest.mark.django_db
Scores = Sequence[float | None]


def finished(version: FilterVersion, scores: Sequence[Scores], **how: Any) -> LabelingRun:
    """A run that is done: an article, a call and a label for each row of scores."""
    oracle = services.get_oracle(provider="anthropic")
    articles = world.articles(len(scores))
    run = services.start_labeling(
        version=version, oracle=oracle, articles=world.keys(articles), kind="pilot", budget_usd=1, agreed=True, **how
    )
    items = {item.article_id: item for item in run.items.all()}
    for number, (article, row) in enumerate(zip(articles, scores, strict=True)):
        call(run, items[article.pk], number)
        label(run, article, row)
    run.items.update(state=LabelingItem.State.LABELLED)
    LabelingRun.objects.filter(pk=run.pk).update(state="done")
    run.refresh_from_db()
    return run


def call(run: LabelingRun, item: LabelingItem, number: int, **changes: Any) -> OracleCall:
    values = {"input_tokens": 1000, "output_tokens": 100 + number, "cost_usd": "0.0002", "seconds": 1.0 + number}
    return OracleCall.objects.create(key=f"{run.pk}-{number}", run=run, item=item, **{"state": "answered", **values, **changes})


def label(run: LabelingRun, article: Any, scores: Scores, **changes: Any) -> OracleLabel:
    version, oracle, words = run.version, run.oracle, prompt_hash_of(run.oracle, prompt_of(run.versions))
    hashed = OracleLabel.request_hash_of(article.text_sha256, version, words, oracle, 1)
    values = {
        "rubric_hash": version.rubric_hash,
        "prompt_hash": words,
        "request_hash": hashed,
        "text_sha256": article.text_sha256,
    }
    made = {**values, "run": run, "version": version, "article": article, "oracle": oracle, "scores": list(scores)}
    return OracleLabel.objects.create(**{**made, **changes})


def uneven(count: int = 40) -> list[Scores]:
    """Scores that use the scale and don't hang together."""
    draw = random.Random(1)
    return [(draw.randint(0, 10), draw.randint(0, 10)) for _ in range(count)]


@pytest.fixture
def passed() -> Callable[[FilterVersion], None]:
    return lambda version: services.run_prefilter(policy=version.policies.get()) and None


def test_it_shows_how_the_oracle_uses_each_scale(version: FilterVersion):
    report = Report(finished(version, [(0, 5), (0, 6.5), (8, None), (10, 7)]))
    (rubric,) = report.rubrics
    good, bad = rubric.scales
    assert (good.distribution.counts[0], good.distribution.zero_share, good.distinct) == (2, 0.5, 3)
    assert (bad.distribution.nulls, bad.distribution.null_share, bad.distribution.mean) == (
        1,
        0.25,
        pytest.approx(6.1667, abs=1e-3),
    )
    assert good.high is not None and good.high.share == 0.5 and good.high.low < 0.2 and good.high.high > 0.8


def test_correlations_stand_below_the_diagonal(version: FilterVersion):
    (rubric,) = Report(finished(version, [(0, 1), (5, 6), (9, 10)])).rubrics
    assert [row for _, row in rubric.rows] == [(), (pytest.approx(1.0),)]


def test_it_says_what_an_article_cost_and_how_long_an_answer_took(version: FilterVersion):
    run = finished(version, uneven(10))
    first = run.items.first()
    call(run, first, 99, state="failed", error_class="invalid", seconds=0)  # asked twice
    report = Report(run)
    assert report.cost is not None and report.cost.mean == pytest.approx((9 * 0.0002 + 0.0004) / 10) and report.cost.n == 10
    assert report.seconds == (5.5, 9.0)


def test_the_rest_costs_what_the_pilot_did_with_an_interval(version: FilterVersion, passed: Any):
    run = finished(version, uneven(20))
    services.import_articles(source="rest", rows=world.rows(30, first=500))
    passed(version)
    rest = Report(run).rest
    assert rest.articles == 30 and rest.direct is not None and rest.batch is not None
    assert rest.direct.low < rest.direct.mean < rest.direct.high
    assert rest.direct.mean == pytest.approx(30 * (1000 * 0.10 + 109.5 * 0.50) / 1e6)
    assert rest.batch.mean == pytest.approx(rest.direct.mean / 2)


def test_a_price_nobody_knows_is_not_made_up(version: FilterVersion, settings: Any):
    run = finished(version, uneven(3))
    settings.ORACLE_PRICES = ["claude-haiku-5-5=dear"]
    assert (Report(run).rest.direct, Report(run).rest.batch) == (None, None)


def test_a_good_pilot_warns_of_nothing(version: FilterVersion):
    assert Report(finished(version, uneven())).warnings == []


@pytest.mark.parametrize(
    ("scores", "warning"),
    [
        ([(n % 3, n % 7 + 3) for n in range(30)], "Good uses only 3 distinct values"),
        ([(0, n % 11) for n in range(30)], "Good uses only 1 distinct value:"),
        ([(n % 11, n % 11 * 0.9) for n in range(30)], "Good and Bad correlate at 1.00: the oracle may not tell them apart."),
        ([(n % 11, 10 - n % 11) for n in range(30)], "correlate at −1.00"),
        (
            [(n % 11, n % 7 if n else 8) for n in range(80)],
            "At most 1 of 80 articles score 7 or more on Bad. Positives are rare; enrichment would help.",
        ),
        ([(n % 11, n * 7 % 10 if n % 4 else None) for n in range(40)], "10 of 40 have no score on Bad"),
        ([(max(0, n - 36) * 3, n * 7 % 10) for n in range(40)], "37 of 40 score 0 on Good."),
    ],
)
def test_it_warns_in_sentences(version: FilterVersion, scores: list[Scores], warning: str):
    assert any(warning in sentence for sentence in Report(finished(version, scores)).warnings)


def test_few_labels_are_no_reason_to_warn(version: FilterVersion):
    assert Report(finished(version, [(0, 0)] * 10)).warnings == []


def test_failures_are_grouped_and_warned_of(version: FilterVersion):
    run = finished(version, uneven(20))
    run.items.filter(pk__in=run.items.values("pk")[:2]).update(state="failed", error_class="refusal: cyber", error="It refused.")
    report = Report(run)
    assert [(one.error_class, one.count) for one in report.problems] == [("refusal: cyber", 2)]
    assert "2 of 20 articles failed, most as refusal: cyber." in report.warnings


def test_quotes_that_are_made_up_are_counted_and_warned_of(version: FilterVersion):
    run = finished(version, uneven(20))
    quotes = [{"quote": "a", "found": True}, {"quote": "b", "found": False}]
    OracleLabel.objects.update(evidence=quotes, flags=["1 of 2 quotes not in the article", "fenced"])
    report = Report(run)
    assert (report.quotes, report.quotes_not_found, report.flags) == (40, 20, [("fenced", 20)])
    assert any("20 of 40 quotes don't stand in their article" in sentence for sentence in report.warnings)


def test_articles_that_speak_to_the_oracle_are_warned_of(version: FilterVersion):
    run = finished(version, uneven(20))
    OracleLabel.objects.filter(pk=OracleLabel.objects.first().pk).update(flags=["the article asks for a score"])
    OracleLabel.objects.filter(pk=OracleLabel.objects.last().pk).update(flags=["repaired"])
    told = [sentence for sentence in Report(run).warnings if "speak to the oracle" in sentence]
    assert len(told) == 1 and "1 asks for a score. Look at their labels." in told[0]


def test_stored_answers_count_as_much_as_new_ones(version: FilterVersion):
    before = finished(version, uneven(4))
    oracle = before.oracle
    articles = list(before.items.values_list("article", flat=True))
    run = services.start_labeling(version=version, oracle=oracle, articles=articles, kind="pilot", budget_usd=1, agreed=True)
    run.items.update(state=LabelingItem.State.STORED)
    assert Report(run).rubrics[0].n == 4 and Report(run).cost is None


def test_answers_to_another_prompt_are_not_the_pilots(version: FilterVersion):
    run = finished(version, uneven(4))
    for item in run.items.all():
        label(run, item.article, (10, 10), prompt_hash="joint", request_hash=f"other {item.pk}")
    OracleLabel.objects.filter(prompt_hash="joint").update(run=None)
    assert Report(run).rubrics[0].n == 4
    assert all(scale.distribution.mean < 10 for scale in Report(run).rubrics[0].scales)


def test_a_pilot_keeps_its_report_when_our_words_change(version: FilterVersion):
    run = finished(version, uneven(4))
    OracleLabel.objects.update(prompt_hash="words of an earlier version")
    assert Report(run).rubrics[0].n == 4


def test_an_enriched_run_undoes_its_choice_with_weights(version: FilterVersion):
    """20 picked ones stand for themselves, 10 unscreened ones for 8 each: 12 + 8 of 100 score high, not 13 of 30."""
    scores = [(9 if n < 12 else 2, 5) for n in range(20)] + [(8 if n == 0 else 1, 5) for n in range(10)]
    articles = world.keys(world.articles(30))
    weights = {pk: 1.0 if place < 20 else 8.0 for place, pk in enumerate(articles)}
    run = finished(version, scores, weights=weights, enriched=articles[:20])
    lift = Report(run).rubrics[0].lifts[0]
    assert lift.picked is not None and lift.unscreened is not None and lift.whole is not None
    assert (lift.picked.share, lift.unscreened.share, lift.whole.share) == (0.6, 0.1, pytest.approx(0.2))
    assert lift.whole.low < 0.2 < lift.whole.high and lift.whole.effective < 30


def test_everything_is_there_for_a_program(version: FilterVersion):
    value = Report(finished(version, uneven(20))).as_dict()
    assert value["rubrics"][0]["dimensions"][1]["correlations"] and value["usd_an_article"]["n"] == 20
    assert set(value) >= {"failed", "flags", "quotes", "seconds", "rest", "warnings"}
