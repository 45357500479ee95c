"""How far an oracle can be trusted, on a page: sentences, picture, tables, and what to do where nothing is known yet."""

import re
from typing import Any

import pytest
from django.test import Client

from labeling import services
from labeling.models import Article, Filter, FilterVersion, LabelingRun, Oracle, ReviewTask
from tests.labeling import world
from tests.labeling.comparing import judges

PAGE = "/filters/tiny/agreement"


@pytest.fixture
def lead(client: Client, db: None, django_user_model: Any) -> Client:
    client.force_login(django_user_model.objects.create_superuser("lead"))
    return client


@pytest.fixture
def stories(version: FilterVersion) -> list[Article]:
    return world.articles(12)


@pytest.fixture
def claude(version: FilterVersion, stories: list[Article]) -> Oracle:
    """Read twelve articles, six of them twice: the first of those by three points apart on `bad`."""
    claude = judges.oracle()
    judges.says(claude, version, [(story, (place / 2, place / 3)) for place, story in enumerate(stories)])
    again = [(story, (place / 2 + 0.5, place / 3 + (0 if place else 3))) for place, story in enumerate(stories[:6])]
    judges.says(claude, version, again, reading=2)
    return claude


@pytest.fixture
def gemini(version: FilterVersion, stories: list[Article]) -> Oracle:
    """Two points milder on `good`, on four articles."""
    gemini = judges.oracle("Gemini")
    judges.says(gemini, version, [(story, (place / 2 + 2, place / 3)) for place, story in enumerate(stories[:4])])
    return gemini


def shown(lead: Client, address: str = PAGE) -> str:
    return re.sub(r"\s+", " ", lead.get(address).content.decode())


def test_it_says_how_far_the_oracle_lies_from_itself(lead: Client, claude: Oracle):
    page = shown(lead)
    assert "Asked twice, Claude differs from itself by 0.50 points on average" in page
    assert "No student can be shown to come nearer" in page and "asked again, 0.50–0.50" in page


def test_the_picture_can_be_heard(lead: Client, claude: Oracle, gemini: Oracle):
    page = shown(lead)
    said = "Good: asked again, Claude differs from itself by 0.50 (0.50 to 0.50); Gemini gives 2.00 more and differs by 2.00"
    assert f"<title>{said} on average.</title>" in page
    assert page.count('class="chart agree"') == 2


def test_a_second_oracle_gets_a_sentence_a_table_and_its_own_view(lead: Client, claude: Oracle, gemini: Oracle):
    page = shown(lead)
    assert "Gemini is 2.00 milder on Good; it differs from Claude by 1.00 points on average." in page
    assert "That is 2.0 times the repeat error." in page and "<h2>Against Gemini</h2>" in page
    turned = shown(lead, f"{PAGE}?oracle={gemini.pk}")
    assert "Claude is 2.00 stricter on Good" in turned and "No article was read twice by Gemini" in turned


def test_an_address_that_names_nothing_known_shows_the_usual_source(lead: Client, claude: Oracle):
    assert "Asked twice, Claude" in shown(lead, f"{PAGE}?oracle=99999&prompt=nonsense&version=77&version=x")


def test_prompts_are_sources_of_their_own(lead: Client, version: FilterVersion, stories: list[Article], claude: Oracle):
    judges.says(claude, version, [(story, (9, 9)) for story in stories[:3]], prompt=judges.JOINT)
    page = shown(lead)
    assert "Claude, prompt 01170117" in page and "Against Claude, prompt 01170117" in page
    assert "differs from itself by 0.50 points" in page


def test_without_a_label_it_says_how_to_get_some(lead: Client, version: FilterVersion):
    page = shown(lead)
    assert "No oracle has read any article by this rubric" in page and "manage.py label tiny" in page


def test_without_a_rubric_it_still_answers(lead: Client):
    Filter.objects.create(slug="tiny", name="Tiny")
    assert lead.get(PAGE).status_code == 200


def test_what_was_read_once_says_which_command_comes_next(lead: Client, version: FilterVersion, stories: list[Article]):
    oracle = services.get_oracle(provider="anthropic", model="claude-opus-5-5", params={"effort": "high"})
    run = LabelingRun.objects.create(version=version, oracle=oracle)
    judges.says(oracle, version, [(story, (1, 2)) for story in stories], run=run)
    page = shown(lead)
    assert "has read 12 articles of tiny v1, each once" in page
    assert "label tiny@1 --provider anthropic --model claude-opus-5-5 --param effort=high --readings 2 --subset 100" in page
    assert f'name="run" value="{run.pk}"' in page and 'name="reading" type="number" min="2" max="9" value="2"' in page


def test_asking_again_names_the_rubrics_in_the_order_of_the_joint_prompt(
    lead: Client, version: FilterVersion, stories: list[Article]
):
    """Another order would be another prompt, and its labels no second reading."""
    other = world.version(slug="other", name="Other")
    oracle = services.get_oracle(provider="anthropic", model="claude-opus-5-5")
    run = LabelingRun.objects.create(version=other, oracle=oracle)
    run.also.add(version)
    judges.says(oracle, version, [(stories[0], (1, 2))], run=run, prompt=judges.JOINT)
    assert "label other@1 --also tiny@1 --provider anthropic" in shown(lead)


def test_labels_out_of_a_file_are_read_again_out_of_a_file(lead: Client, gemini: Oracle):
    page = shown(lead)
    assert "import_articles FILE --filter tiny@1 --oracle" in page and "Look at the plan" not in page


def test_the_largest_disagreements_go_to_review(lead: Client, claude: Oracle, stories: list[Article]):
    sent = {"first": f"oracle={claude.pk}&prompt={judges.SOLO}", "version": "1"}
    assert sent["first"].replace("&", "&amp;") in shown(lead)
    answer = lead.post(f"{PAGE}/review", sent, follow=True)
    assert "6 articles wait for a review now." in answer.content.decode()
    first = ReviewTask.objects.order_by("-priority").first()
    assert (first.article, first.reason) == (stories[0], ReviewTask.Reason.READINGS)
    assert (
        first.detail == "Reading 2 is 3.0 above reading 1 on Bad; Claude's readings differ by 1.75 on average over 2 dimensions."
    )


def test_so_do_the_largest_between_two_oracles(lead: Client, claude: Oracle, gemini: Oracle):
    sent = {"first": f"oracle={claude.pk}&prompt={judges.SOLO}", "second": f"oracle={gemini.pk}&prompt={judges.SOLO}"}
    lead.post(f"{PAGE}/review", sent)
    assert set(ReviewTask.objects.values_list("reason", "priority")) == {(ReviewTask.Reason.ORACLES, 1.0)}


def test_labels_that_are_gone_are_no_error(lead: Client, claude: Oracle):
    answer = lead.post(f"{PAGE}/review", {"first": "oracle=1&prompt=x", "version": "nine"}, follow=True)
    assert "Nothing was sent" in answer.content.decode() and not ReviewTask.objects.exists()


def test_who_may_not_send_sees_no_button(client: Client, claude: Oracle, analyst: Any):
    from django.contrib.auth.models import Group

    analyst.groups.add(Group.objects.get_or_create(name="viewer")[0])
    client.force_login(analyst)
    assert "Send the ten largest" not in client.get(PAGE).content.decode()
    assert client.post(f"{PAGE}/review", {"first": "x"}).status_code == 403


def test_the_start_page_takes_over_what_is_to_be_read_again(lead: Client, version: FilterVersion, stories: list[Article]):
    oracle = services.get_oracle(provider="recorded")
    run = LabelingRun.objects.create(version=version, oracle=oracle)
    form = lead.get(f"/labels/new?run={run.pk}&reading=2&size=50").context["form"]
    assert {name: form.initial[name] for name in ("reading", "size", "draw")} == {"reading": 2, "size": 50, "draw": "some"}
    assert lead.get(f"/labels/new?run={run.pk}&reading=x&size=50").context["form"].initial["draw"] == "all"
