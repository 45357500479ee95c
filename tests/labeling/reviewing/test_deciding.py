"""A lead decides: what is kept, what is refused, and which cases teach."""

from typing import Any

import pytest

from distillery_site.common.errors import BadInput
from distillery_site.common.models import AuditEntry
from labeling.models import Article
from labeling.reviewing.deciding import bench, decide
from labeling.reviewing.guidelines import guidelines
from tests.labeling import world
from tests.labeling.reviewing.people import person, say


@pytest.fixture
def lead(db: None) -> Any:
    return person("lead", "lead")


@pytest.fixture
def story(version: Any) -> Article:
    """Two people agree on good and are seven apart on bad."""
    article = world.articles(1)[0]
    say(version, article, "ann", [7, 1], comment="Not bad at all.")
    say(version, article, "ben", [7.6, 8])
    return article


def test_fields_begin_with_the_mean_where_people_are_near_and_empty_where_not(version: Any, story: Article):
    good, bad = bench(version, story).lines
    assert (good.start, good.apart) == (7.5, False)  # 7.3, to the nearest half
    assert (bad.start, bad.apart, bad.gap) == (None, True, 7)


def test_a_decision_begins_where_the_last_one_stands(version: Any, story: Article, lead: Any):
    decide(version=version, article=story, lead=lead, scores=[7, 6])
    assert [line.start for line in bench(version, story).lines] == [7, 6]


def test_a_lead_who_is_one_of_the_two_is_known(version: Any, story: Article, lead: Any):
    assert not bench(version, story).heard(lead)
    assert bench(version, story).heard(person("ann"))


def test_what_was_decided_is_written_down_with_what_stood_before(version: Any, story: Article, lead: Any):
    first = decide(version=version, article=story, lead=lead, scores=[7, 6])
    decide(version=version, article=story, lead=lead, scores=[7, 5], why="Less bad.", seen=first)
    entry = AuditEntry.objects.latest("pk")
    assert (entry.actor, entry.before["scores"], entry.after["scores"]) == (lead, [7, 6], [7, 5])


def test_a_decision_points_to_the_task_that_was_reviewed(version: Any, story: Article, lead: Any):
    made = decide(version=version, article=story, lead=lead, scores=[7, 6])
    assert made.task is not None and made.task.reviews.count() == 1


@pytest.mark.parametrize(
    ("scores", "sentence"), [([7], "2 dimensions; 1 scores"), ([7, 11], "bad must be between"), ([float("nan"), 1], "good must")]
)
def test_scores_off_the_scale_are_refused(version: Any, story: Article, lead: Any, scores: Any, sentence: str):
    with pytest.raises(BadInput, match=sentence):
        decide(version=version, article=story, lead=lead, scores=scores)


def test_who_decides_after_somebody_else_is_told(version: Any, story: Article, lead: Any):
    decide(version=version, article=story, lead=person("first", "lead"), scores=[7, 6])
    with pytest.raises(BadInput, match="first decided on this article meanwhile"):
        decide(version=version, article=story, lead=lead, scores=[7, 5])


def test_a_text_that_changed_meanwhile_is_to_be_read_again(version: Any, story: Article, lead: Any):
    with pytest.raises(BadInput, match="text changed while you looked"):
        decide(version=version, article=story, lead=lead, scores=[7, 5], text_sha256="of an earlier text")


def test_a_case_without_a_reason_is_refused(version: Any, story: Article, lead: Any):
    with pytest.raises(BadInput, match="say why"):
        decide(version=version, article=story, lead=lead, scores=[7, 5], why=" ", guideline=True)


def test_a_reason_has_an_end(version: Any, story: Article, lead: Any):
    with pytest.raises(BadInput, match="at most 5,000 characters; this one has 100,000"):
        decide(version=version, article=story, lead=lead, scores=[7, 5], why="x" * 100_000)


def test_a_case_stands_under_the_dimension_that_people_were_apart_on(version: Any, story: Article, lead: Any):
    decide(version=version, article=story, lead=lead, scores=[7, 6], why="Bad for the lake.", guideline=True)
    good, bad = guidelines(version, lead).chapters
    [case] = bad.cases
    assert (case.low, case.high, case.scores) == (1, 8, [("Good", 7), ("Bad", 6)])
    assert good.cases == []


def test_a_case_that_nobody_disputed_stands_apart(version: Any, lead: Any):
    article = world.articles(1)[0]
    decide(version=version, article=article, lead=lead, scores=[0, 0], why="An advertisement.", guideline=True)
    assert [case.decision.article for case in guidelines(version, lead).others] == [article]


def test_a_case_is_withdrawn_by_deciding_again(version: Any, story: Article, lead: Any):
    first = decide(version=version, article=story, lead=lead, scores=[7, 6], why="Bad for the lake.", guideline=True)
    decide(version=version, article=story, lead=lead, scores=[7, 6], seen=first)
    assert not any(chapter.cases for chapter in guidelines(version, lead).chapters)


def test_a_case_is_kept_from_who_is_yet_to_review_it(version: Any, story: Article, lead: Any):
    say(version, story, "cleo", [5, 5], open_=True)
    decide(version=version, article=story, lead=lead, scores=[7, 6], why="Bad for the lake.", guideline=True)
    shown = {who: any(chapter.cases for chapter in guidelines(version, person(who)).chapters) for who in ("dan", "cleo")}
    assert shown == {"dan": False, "cleo": True}
