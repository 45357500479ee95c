"""Wherever labels are shown, those of another prompt or another oracle are told apart, never silently mixed in."""

from typing import Any

import pytest
from django.test import Client

from labeling import figures
from labeling.articles import browse
from labeling.articles.judged import judged, oracles_on
from labeling.models import Article, FilterVersion, Oracle, ReviewTask
from labeling.services import open_review, submit_review
from tests.labeling import world
from tests.labeling.comparing import judges


@pytest.fixture
def stories(version: FilterVersion) -> list[Article]:
    return world.articles(4)


@pytest.fixture
def claude(version: FilterVersion, stories: list[Article]) -> Oracle:
    """Asked about three articles alone, and about the first and the last in a joint prompt too."""
    claude = judges.oracle()
    judges.says(claude, version, [(story, (4, 4)) for story in stories[:3]])
    judges.says(claude, version, [(stories[0], (9, 9)), (stories[3], (9, 9))], prompt=judges.JOINT)
    return claude


def test_a_distribution_is_of_one_prompt(version: FilterVersion, claude: Oracle):
    usual = figures.score_distributions(version=version, oracle=claude)[0]
    joint = figures.score_distributions(version=version, oracle=claude, prompt_hash=judges.JOINT)[0]
    assert (usual.n, usual.mean, joint.n, joint.mean) == (3, 4.0, 2, 9.0)


def test_a_lists_bars_are_of_one_oracle_and_prompt(version: FilterVersion, stories: list[Article], claude: Oracle):
    lines = browse.lines(stories, version, None)
    assert [line.label and line.label.scores for line in lines] == [[4, 4], [4, 4], [4, 4], None]
    assert lines[3].other == "with another prompt"
    judges.says(judges.oracle("Gemini"), version, [(stories[3], (1, 1))])
    assert browse.lines(stories, version, None)[3].other == "by Gemini"


def test_an_article_names_the_prompts_of_an_oracle_that_was_asked_in_several(
    version: FilterVersion, stories: list[Article], claude: Oracle
):
    first, second = judged(stories[0], None)[0].columns
    assert {first.prompt, second.prompt} == {"prompt 50105010", "prompt 01170117"}
    (only,) = judged(stories[1], None)[0].columns
    assert only.prompt == "" and only.notes == []


def test_beside_a_review_stand_all_oracles_and_the_one_students_learn_from_first(
    version: FilterVersion, stories: list[Article], claude: Oracle
):
    judges.says(judges.oracle("Gemini"), version, [(stories[0], (1, 1))])
    columns = oracles_on(stories[0], version)
    assert [(column.name, column.scores[0]) for column in columns] == [("Claude", 4.0), ("Claude", 9.0), ("Gemini", 1.0)]
    Article.objects.filter(pk=stories[0].pk).update(text_sha256="0" * 64)
    assert oracles_on(Article.objects.get(pk=stories[0].pk), version) == []


def test_a_reviewer_sees_every_oracle_after_the_own_scores(
    client: Client, version: FilterVersion, stories: list[Article], claude: Oracle, django_user_model: Any
):
    reviewer = django_user_model.objects.create_superuser("reviewer")
    judges.says(judges.oracle("Gemini"), version, [(stories[1], (1, 1))])
    task = open_review(version=version, article=stories[1], reason=ReviewTask.Reason.ORACLES)
    submit_review(task=task, reviewer=reviewer, scores=[7, 7])
    client.force_login(reviewer)
    shown = client.get(f"/review/{task.pk}/").content.decode()
    assert "Claude" in shown and "Gemini" in shown and "you <b>+3.0</b>" in shown


def test_a_filters_table_has_a_line_for_each_prompt(
    client: Client, version: FilterVersion, claude: Oracle, django_user_model: Any
):
    client.force_login(django_user_model.objects.create_superuser("lead"))
    shown = client.get("/filters/tiny/").content.decode()
    assert "prompt 50105010" in shown and "prompt 01170117" in shown
    assert 'href="/filters/tiny/agreement"' in shown
