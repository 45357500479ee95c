"""A student in people's terms: its distance to the oracle, put right by a random part of the articles that people scored."""

from typing import Any

import pytest
from django.test import Client

from labeling.models import Article, Decision
from labeling.reviewing.policies import in_draw_order
from scoring.quality import quality
from tests.labeling.reviewing.people import person, say
from tests.scoring import world
from training import datasets


@pytest.fixture
def benchmark(model: Any) -> Any:
    """Sixteen test articles: half a point or a whole one off on impact, a quarter on evidence."""
    return world.measured(model, lambda i, c: (0.5 + 0.5 * (i % 2)) if c == 0 else 0.25)


@pytest.fixture
def order(benchmark: Any) -> list[Article]:
    """The test articles as they would be drawn."""
    keys = in_draw_order(list(benchmark.predictions.values_list("article_id", flat=True)))
    return [Article.objects.get(pk=pk) for pk in keys]


def answers(benchmark: Any, article: Article) -> list[float]:
    return list(benchmark.predictions.get(article=article).raw)


def people_say(benchmark: Any, version: Any, articles: list[Article], away: float = 0.3) -> None:
    """Ann scores the student's answer and a little more."""
    for article in articles:
        raw = answers(benchmark, article)
        say(version, article, "ann", [score + away if score < 5 else score - away for score in raw])


def test_without_people_it_says_what_is_missing(benchmark: Any, uplifting: Any):
    found = quality(benchmark, uplifting)
    assert (found.rows, found.reviewed, found.drawn, found.alike) == (16, 0, 0, [])
    assert not found.mean.known and found.mean.oracle.value == pytest.approx((0.75 + 0.25) / 2)


def test_it_tells_the_error_against_people_beside_that_against_the_oracle(benchmark: Any, uplifting: Any, order: list[Article]):
    people_say(benchmark, uplifting, order[:6])
    found = quality(benchmark, uplifting)
    impact, evidence = found.dimensions
    assert (found.reviewed, found.drawn, found.split) == (6, 6, "test")
    assert impact.people.value == pytest.approx(0.3) and impact.oracle.value == pytest.approx(0.75)
    assert impact.people.weight == pytest.approx(0, abs=1e-9), "people are as far away wherever the oracle is"
    assert (evidence.people.n, evidence.people.rows) == (6, 16)
    assert found.sentence.startswith("It lies 0.30 points from people (0.30 to 0.30), where against the oracle its error is 0.50")
    assert [row.figures.n for row in found.alike] == [6, 6]


def test_where_peoples_word_became_the_target_the_oracles_is_still_compared(
    benchmark: Any, uplifting: Any, oracle: Any, order: list[Article]
):
    people_say(benchmark, uplifting, order[:6], away=2.0)
    gold = datasets.freeze(name="gold", versions=[uplifting], oracle=oracle, fractions=(0.6, 0.2, 0.2), people="override")
    again = world.measured(benchmark.model, lambda i, c: 0.25, dataset=gold)
    labels = dict(uplifting.labels.filter(reading=1).values_list("article", "scores"))
    answers = again.predictions.values_list("article", "raw")
    apart = [abs(a - b) for article, raw in answers for a, b in zip(raw, labels[article], strict=True)]
    assert sum(apart) / len(apart) != pytest.approx(0.25), "people moved targets of this split"
    assert quality(again, uplifting).mean.oracle.value == pytest.approx(sum(apart) / len(apart))


def test_what_was_not_drawn_by_lot_puts_nothing_right(benchmark: Any, uplifting: Any, order: list[Article]):
    people_say(benchmark, uplifting, order[4:8])
    uplifting.review_tasks.update(reason="worst")
    found = quality(benchmark, uplifting)
    assert (found.reviewed, found.drawn, len(found.alike)) == (4, 0, 2) and not found.mean.known


def test_a_leads_decision_goes_before_what_people_said(benchmark: Any, uplifting: Any, order: list[Article]):
    people_say(benchmark, uplifting, order[:4])
    decided = order[0]
    scores = answers(benchmark, decided)
    Decision.objects.create(
        version=uplifting, article=decided, lead=person("lea"), scores=scores, text_sha256=decided.text_sha256
    )
    evidence = quality(benchmark, uplifting).dimensions[1]
    assert evidence.people.value == pytest.approx(0.3 * 3 / 4, abs=0.08)


def test_the_models_page_tells_it_or_how_to_learn_it(client: Client, benchmark: Any, uplifting: Any, order: list[Article]):
    client.force_login(world.person("chief", "admin"))
    page = client.get("/models/news-ridge/v1/").content.decode()
    assert "In people" in page and "nobody has reviewed an article that it was measured on" in page
    people_say(benchmark, uplifting, order[:6])
    page = client.get("/models/news-ridge/v1/").content.decode()
    assert "It lies 0.30 points from people" in page and "fewer than 20 articles say little" in page
    assert "Agreement of people and student, on 6 reviewed articles" in page
