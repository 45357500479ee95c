"""One request in full, the lists of requests, and the articles behind a run's problems and flags."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from labeling import services
from labeling.models import Article, FilterVersion, LabelingRun
from tests.labeling import paid, world


@pytest.fixture
def viewer(client: Client, version: FilterVersion, django_user_model: Any) -> Client:
    person = django_user_model.objects.create_user("viewer")
    person.groups.add(Group.objects.get_or_create(name="viewer")[0])
    client.force_login(person)
    return client


@pytest.fixture
def run(version: FilterVersion) -> LabelingRun:
    return paid.run(version)


def text_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode()


def test_it_shows_what_was_sent_and_what_came_back(viewer: Client, run: LabelingRun):
    label = paid.labelled(run.items.first(), sdk="anthropic 2.12.0", response_model="claude-haiku-5-5-20261001")
    shown = text_of(viewer, f"/labels/{run.pk}/calls/{label.call.key}/")
    assert "How good, how bad?" in shown and "word0x1 word0x2" in shown, "the rubric, and the article"
    assert "&quot;reasoning&quot;: &quot;Because.&quot;" in shown and "req_1" in shown, "the raw answer and its id"
    assert "anthropic 2.12.0" in shown and "claude-haiku-5-5-20261001" in shown and "$0.0100" in shown
    assert "was edited since" not in shown and "other words since" not in shown


def test_it_says_when_the_article_was_edited_since(viewer: Client, run: LabelingRun):
    call = paid.failed(run.items.first())
    services.import_articles(source="desk", rows=[{**world.rows(1)[0], "text": world.text(99)}])
    shown = text_of(viewer, f"/labels/{run.pk}/calls/{call.key}/")
    assert "The article was edited since" in shown and "word99x1" in shown


def test_it_says_when_the_frame_has_other_words_since(viewer: Client, run: LabelingRun):
    call = paid.call(run.items.first(), prompt_hash="0" * 64)
    assert "has other words since an update" in text_of(viewer, f"/labels/{run.pk}/calls/{call.key}/")


def test_a_repair_shows_the_answer_that_was_wrong_and_why(viewer: Client, run: LabelingRun):
    item = run.items.first()
    paid.call(item, error_class="invalid", error="The answer lacks the score bad.", raw_answer='{"scores": {"good": 7}}')
    label = paid.labelled(item, repair=True)
    shown = text_of(viewer, f"/labels/{run.pk}/calls/{label.call.key}/")
    assert "is asked to mend its answer about" in shown and "The answer lacks the score bad." in shown
    assert "{&quot;scores&quot;: {&quot;good&quot;: 7}}" in shown


def test_it_lists_every_try_of_the_article_in_order(viewer: Client, run: LabelingRun):
    item = run.items.first()
    tries = [paid.call(item, state="lost"), paid.call(item, error_class="truncated"), paid.call(item, room=1)]
    paid.call(run.items.last())
    answer = viewer.get(f"/labels/{run.pk}/calls/{tries[1].key}/")
    assert [one.key for one in answer.context["attempts"]] == [one.key for one in tries]
    assert "reply never came" in answer.content.decode() and "with more room" in answer.content.decode()


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("out", "The reply has not come yet; up to $0.0200 is reserved for it."),
        ("lost", "The reply never came. The provider may have charged it, so $0.0200 stays booked."),
        ("unsent", "It never left this machine, so it costs nothing."),
    ],
)
def test_it_says_what_a_call_without_an_answer_costs(viewer: Client, run: LabelingRun, state: str, sentence: str):
    call = paid.call(run.items.first(), state=state)
    assert sentence in text_of(viewer, f"/labels/{run.pk}/calls/{call.key}/")


def test_a_recording_was_never_sent(viewer: Client, version: FilterVersion):
    articles = world.keys(world.articles(1))
    run = services.start_labeling(version=version, oracle=services.get_oracle(provider="recorded"), articles=articles)
    call = paid.call(run.items.get(), prompt_hash="")
    assert "replays what was recorded before" in text_of(viewer, f"/labels/{run.pk}/calls/{call.key}/")


def test_a_call_belongs_to_its_run(viewer: Client, run: LabelingRun):
    call = paid.call(run.items.first())
    assert viewer.get(f"/labels/{run.pk + 1}/calls/{call.key}/").status_code == 404


def test_the_list_of_calls_can_be_narrowed(viewer: Client, run: LabelingRun):
    first, second, third, _ = run.items.order_by("pk")
    paid.call(first, state="lost")
    paid.call(second, error_class="invalid")
    paid.call(third)
    base = f"/labels/{run.pk}/calls/"
    found = {query: viewer.get(base + query).context["page"].paginator.count for query in ("", "?state=lost", "?state=answered")}
    assert found == {"": 3, "?state=lost": 1, "?state=answered": 2}
    assert viewer.get(f"{base}?state=answered&class=invalid").context["page"].paginator.count == 1
    assert viewer.get(f"{base}?state=nonsense").status_code == 404


def test_the_articles_of_a_problem_lead_to_their_raw_answers(viewer: Client, run: LabelingRun):
    item = run.items.first()
    call = paid.failed(item, "refusal: cyber", "It would rather not.")
    shown = text_of(viewer, f"/labels/{run.pk}/problems/refusal: cyber/")
    assert "Title 0" in shown and "It would rather not." in shown and f"/calls/{call.key}/" in shown
    assert "Ask again" not in shown, "a viewer may not"
    assert "None any more" in text_of(viewer, f"/labels/{run.pk}/problems/nonsense/")


def test_the_articles_of_a_flag_lead_to_their_calls(viewer: Client, run: LabelingRun):
    label = paid.labelled(run.items.first(), flags=("2 of 3 quotes not in the article",))
    shown = text_of(viewer, f"/labels/{run.pk}/flags/quotes not in the article/")
    assert "2 of 3 quotes not in the article" in shown and f"/calls/{label.call.key}/" in shown


def test_an_articles_label_leads_to_the_call_that_made_it(viewer: Client, run: LabelingRun):
    label = paid.labelled(run.items.first())
    assert f"/labels/{run.pk}/calls/{label.call.key}/" in text_of(viewer, f"/articles/{Article.objects.first().pk}/")


def test_a_joint_prompt_is_shown_with_all_its_rubrics(viewer: Client, run: LabelingRun):
    run.also.add(world.version(slug="other", name="Other", prompt="How odd?"))
    call = paid.call(run.items.first())
    shown = text_of(viewer, f"/labels/{run.pk}/calls/{call.key}/")
    assert "# Rubric tiny" in shown and "# Rubric other" in shown and "How odd?" in shown


@pytest.mark.parametrize("address", ["problems/%00/", "flags/%00/", "calls/?class=%00", "calls/?state=%00", "calls/?page=%00"])
def test_nonsense_in_an_address_breaks_nothing(viewer: Client, run: LabelingRun, address: str):
    assert viewer.get(f"/labels/{run.pk}/{address}").status_code in (200, 404)
