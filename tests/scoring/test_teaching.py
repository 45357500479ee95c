"""Next to label: what students would learn most from, for people or for an oracle."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.test import Client

from distillery_site.common.errors import BadInput
from labeling.models import Article, LabelingItem, LabelingRun, Oracle, PrefilterVerdict, ReviewTask
from labeling.services import get_oracle
from scoring import teaching
from scoring.views import teaching as pages
from tests.fakes.vendor import KEY, FakeVendor
from tests.labeling.reviewing.people import person, say
from tests.scoring import world
from tests.scoring.test_intervals_served import INTERVALS
from tests.training import world as newsroom

PAGE = "/filters/uplifting/next"


@pytest.fixture
def unread(uplifting: Any, dataset: Any) -> list[Article]:
    """Twelve articles that passed and that nobody has judged; the later, the more of the good word."""
    stories = [newsroom.article(newsroom.prose(500 + place, good=place)) for place in range(12)]
    policy = uplifting.policies.get()
    PrefilterVerdict.objects.bulk_create(PrefilterVerdict(policy=policy, article=one, passed=True) for one in stories)
    return stories


@pytest.fixture
def students(champion: Any, dataset: Any, root: Any, engine: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A second kind, which counts the good word twice: the two lie apart where there is much of it."""
    other = world.model(dataset, root, name="news-kernel", kind="kernel")
    ask = engine.score

    def score(*, model: str, **more: Any) -> Any:
        said = ask(model=model, **more)
        return said if model != other.ref else type(said)(**{**vars(said), "raw": 2 * said.raw})

    monkeypatch.setattr(engine, "score", score)
    return [champion, other]


def test_the_pool_is_what_nobody_has_judged(uplifting: Any, unread: list[Article], oracle: Any):
    assert teaching.pool_of(uplifting) == [one.pk for one in unread]
    newsroom.label(unread[0], uplifting, oracle, [1, 1])
    say(uplifting, unread[1], "ann", [1, 1])
    say(uplifting, unread[2], "ben", [1, 1], open_=True)
    assert teaching.pool_of(uplifting) == [one.pk for one in unread[3:]]


def test_the_champion_reads_first_and_a_stack_not_at_all(students: Any, uplifting: Any, dataset: Any, root: Any):
    world.model(dataset, root, name="news-stack", kind="stack")
    assert teaching.students_of(uplifting) == students


def test_what_students_differ_on_comes_first(students: Any, uplifting: Any, unread: list[Article]):
    """Impact w+1 and 2w+2, evidence w−1 and 2w−2: half of the difference is the standard deviation."""
    found = teaching.look(version=uplifting, size=5)
    assert (found.pool, found.read, len(found.picks), len(found.holdout)) == (12, 12, 5, 1)
    first = found.picks[0]
    water = first.article.text.count("water")
    low, high = min(10, water + 1), min(10, 2 * water + 2)
    below, above = max(0, water - 1), min(10, max(0, 2 * water - 2))
    assert first.spread == pytest.approx(((high - low) / 2 + (above - below) / 2) / 2)
    assert first.spread == max(one.spread for one in found.picks) and first.width is None


def test_the_width_of_the_interval_counts_as_well(dataset: Any, root: Any, engine: Any, uplifting: Any, unread: list[Article]):
    model = world.model(dataset, root, manifest={**world.GOLDEN, "intervals": INTERVALS})
    found = teaching.look(version=uplifting, size=5)
    assert found.students == [model]
    assert all(one.spread is None and one.width > 0 for one in found.picks)
    assert found.picks[0].detail.startswith("The interval is ") and "points wide" in found.picks[0].detail


def test_the_same_text_again_teaches_nothing(uplifting: Any, db: None):
    """Three candidates of equal worth, two of which say the same."""
    texts = ["a lake was cleaned", "a lake was cleaned", "markets fell today"]
    found = [teaching.Candidate(Article(pk=pk, title="", text=text), 1.0, None) for pk, text in enumerate(texts)]
    assert [one.article.pk for one in teaching.pick(found, 3)] == [0, 2, 1]


def test_worth_is_the_mean_of_both_ranks():
    found = [teaching.Candidate(Article(), spread, width) for spread, width in ((1.0, 4.0), (2.0, 2.0), (3.0, 3.0))]
    assert teaching.worth_of(found) == pytest.approx([2 / 3, 0.5, 5 / 6])


def test_words_that_all_share_make_nobody_alike():
    same, other, third = teaching.vectors(["the lake", "the lake", "the market"])
    assert (same @ other, round(float(same @ third), 6)) == (pytest.approx(1), 0)
    assert not np.isnan(teaching.vectors([""])).any()


def test_one_student_without_intervals_tells_nothing(champion: Any, uplifting: Any, unread: list[Article]):
    with pytest.raises(BadInput, match="is alone and gives no intervals"):
        teaching.look(version=uplifting, size=5)


def test_it_refuses_where_there_is_nothing_to_choose(students: Any, uplifting: Any, unread: list[Article]):
    with pytest.raises(BadInput, match="Only 12 articles passed"):
        teaching.look(version=uplifting, size=12)
    with pytest.raises(BadInput, match="Between 5 and 200"):
        teaching.look(version=uplifting, size=3)


def test_reading_stops_when_the_time_is_up(students: Any, uplifting: Any, unread: list[Article], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(teaching, "CHUNK", 6)
    assert teaching.look(version=uplifting, size=5, seconds=0).read == 6
    monkeypatch.setattr(teaching, "CHUNK", 2)
    with pytest.raises(BadInput, match="2 of 12 articles were read, too few"):
        teaching.look(version=uplifting, size=5, seconds=0)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[LabelingRun]:
    runs: list[LabelingRun] = []
    monkeypatch.setattr(pages, "send", runs.append)
    return runs


def looked_at(client: Client) -> str:
    shown = client.post(PAGE, {"size": 5, "seed": 0}).content.decode()
    assert "5 articles that teach most" in shown
    return shown.partition('name="chosen" value="')[2].partition('"')[0]


def test_a_lead_asks_people(client: Client, students: Any, uplifting: Any, unread: list[Article]):
    client.force_login(person("lead", "lead", uplifting.filter))
    client.post(f"{PAGE}/review", {"chosen": looked_at(client)})
    tasks = ReviewTask.objects.filter(reason="wide")
    assert tasks.count() == 5 and "Students differ by" in tasks.first().detail


@pytest.fixture
def paid(settings: Any) -> Iterator[Oracle]:
    with FakeVendor() as vendor:
        settings.ANTHROPIC_BASE_URL, settings.ANTHROPIC_API_KEY = vendor.url, KEY
        yield get_oracle(provider="anthropic")


def test_an_operator_has_an_oracle_asked_after_a_plan(
    client: Client, students: Any, unread: list[Article], paid: Oracle, sent: list[LabelingRun]
):
    client.force_login(person("operator", "operator"))
    wish = {"chosen": looked_at(client), "oracle": paid.pk, "mode": "direct"}
    assert "Show the plan" in client.post(f"{PAGE}/run", {"chosen": wish["chosen"]}).content.decode()
    shown = client.post(f"{PAGE}/run", {**wish, "look": "yes"}).content.decode()
    plan = shown.partition('name="plan" value="')[2].partition('"')[0]
    assert plan and "Start: ask about" in shown and not LabelingRun.objects.exists()
    refused = client.post(f"{PAGE}/run", {**wish, "start": "yes", "plan": plan, "budget_usd": "1"})
    assert "Nothing is sent before you agree" in refused.content.decode()
    client.post(f"{PAGE}/run", {**wish, "start": "yes", "plan": plan, "budget_usd": "1", "agree": "on"})
    run = LabelingRun.objects.get()
    items = LabelingItem.objects.filter(run=run)
    assert sent == [run] and run.sampling["how"] == "teaching" and run.kind == "enriched"
    assert items.filter(drawn="enriched").count() == 5
    assert sum(items.values_list("weight", flat=True)) == pytest.approx(12)  # together they stand for the pool
    assert "picked as those that teach most" in client.get(f"/labels/{run.pk}/").content.decode()


def test_a_plan_for_other_articles_starts_nothing(
    client: Client, students: Any, oracle: Any, unread: list[Article], sent: list[LabelingRun]
):
    client.force_login(person("operator", "operator"))
    wish = {"chosen": looked_at(client), "oracle": oracle.pk, "mode": "direct", "start": "yes", "plan": "forged"}
    shown = client.post(f"{PAGE}/run", wish)
    assert shown.status_code == 400 and "look at it again" in shown.content.decode() and not sent


def test_a_lead_may_not_spend_and_a_forged_choice_is_refused(
    client: Client, students: Any, uplifting: Any, unread: list[Article]
):
    client.force_login(person("lead", "lead", uplifting.filter))
    assert client.post(f"{PAGE}/run", {"chosen": looked_at(client)}).status_code == 403
    answer = client.post(f"{PAGE}/review", {"chosen": "forged"}, follow=True)
    assert "Look again." in answer.content.decode() and not ReviewTask.objects.exists()


def test_the_page_says_what_is_missing(client: Client, uplifting: Any, dataset: Any):
    client.force_login(person("viewer", "viewer"))
    assert "No student answers by uplifting v1 yet" in client.get(PAGE).content.decode()


def test_the_command_lists_and_sends(students: Any, unread: list[Article]):
    out = StringIO()
    call_command("next_to_label", "uplifting", "--size", "5", "--review", stdout=out)
    assert "12 of 12 articles were read by news-ridge v1, news-kernel v1." in out.getvalue()
    assert ReviewTask.objects.count() == 5
