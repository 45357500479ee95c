"""An enriched run: a quick student picks likely positives, and the weights keep what is said of all articles honest."""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from distillery_site.common.errors import BadInput, Permanent
from labeling import services
from labeling.models import Article, LabelingItem, LabelingRun, Policy
from labeling.planning import sampled
from labeling.planning.measuring import prompt_hash_of, prompt_of
from labeling.planning.pilots import Report
from tests.fakes.vendor import KEY, FakeVendor
from tests.training import world
from training import enrichment
from training.enrichment import choose, draw, start_enriched, weigh

PILOT, POOL = 60, 400
HEAVY = {"sklearn", "torch", "scipy"}


def water(article: Any) -> int:
    return article.text.split().count("water")


@pytest.fixture
def pilot(uplifting: Any, oracle: Any, folders: Path) -> LabelingRun:
    """A pilot in which few score high on impact, and a pool of 400 articles in which 5 % do."""
    return pilot_by(oracle, uplifting)


def pilot_by(oracle: Any, uplifting: Any, **money: Any) -> LabelingRun:
    Policy.objects.create(version=uplifting, number=1, weights={"impact": 0.5, "evidence": 0.5}, tiers=[{"name": "no", "min": 0}])
    chance = random.Random(5)
    stories = [
        world.article(world.prose(seed, 9 if chance.random() < 0.05 else chance.randint(0, 3))) for seed in range(PILOT + POOL)
    ]
    services.run_prefilter(policy=uplifting.policies.get())
    known = stories[:PILOT]
    run = services.start_labeling(version=uplifting, oracle=oracle, articles=[one.pk for one in known], kind="pilot", **money)
    words = prompt_hash_of(oracle, prompt_of(run.versions))
    for story in known:
        world.label(story, uplifting, oracle, [float(water(story)), 10.0 - water(story)], prompt=words)
    run.items.update(state=LabelingItem.State.LABELLED)
    return run


@pytest.fixture
def clear_sighted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A student that is right and costs no time."""
    rows = lambda screened: Article.objects.filter(pk__in=screened)  # noqa: E731
    guess = lambda pilot, labels, screened: {one.pk: [float(water(one)), 10.0 - water(one)] for one in rows(screened)}  # noqa: E731
    monkeypatch.setattr(enrichment, "guess", guess)


def positives(articles: Any) -> int:
    return sum(water(article) >= 7 for article in Article.objects.filter(pk__in=articles))


@pytest.mark.django_db
def test_it_finds_many_times_as_many_as_chance_would(pilot: LabelingRun):
    before = HEAVY & sys.modules.keys()
    drawn = draw(pilot=pilot, size=50)
    assert len(drawn.articles) == 50 and len(drawn.holdout) == 10 and len(drawn.picked) == 40
    assert positives(drawn.picked) / 40 > 3 * positives(enrichment.pool_of(pilot)) / POOL
    assert drawn.sampling["rule"].startswith("for each of Impact in turn")
    assert {name: drawn.sampling[name] for name in ("pool", "screened", "holdout")} == {
        "pool": 400,
        "screened": 400,
        "holdout": 10,
    }
    assert HEAVY & sys.modules.keys() == before, "the student lives in a process of its own"


@pytest.mark.django_db
def test_the_holdout_does_not_depend_on_what_the_student_thinks(pilot: LabelingRun, monkeypatch: pytest.MonkeyPatch):
    honest = draw(pilot=pilot, size=50, seed=3).holdout
    monkeypatch.setattr(enrichment, "guess", lambda pilot, labels, screened: {pk: [float(pk), 0.0] for pk in screened})
    assert draw(pilot=pilot, size=50, seed=3).holdout == honest != draw(pilot=pilot, size=50, seed=4).holdout


@pytest.mark.django_db
@pytest.mark.usefixtures("clear_sighted")
def test_the_same_seed_draws_the_same(pilot: LabelingRun):
    assert draw(pilot=pilot, size=40, seed=1) == draw(pilot=pilot, size=40, seed=1)


@pytest.mark.django_db
@pytest.mark.usefixtures("clear_sighted")
def test_the_run_keeps_how_each_article_was_drawn(pilot: LabelingRun):
    drawn = draw(pilot=pilot, size=50)
    run = start_enriched(pilot=pilot, drawn=drawn)
    assert run.kind == "enriched" and run.sampling["pilot"] == pilot.pk
    assert set(run.items.filter(drawn="enriched").values_list("article", flat=True)) == drawn.picked
    assert sum(run.items.values_list("weight", flat=True)) == pytest.approx(POOL)


@pytest.mark.django_db
@pytest.mark.usefixtures("clear_sighted")
def test_the_weights_find_the_true_share_again(pilot: LabelingRun, oracle: Any, uplifting: Any):
    """Half of what is drawn scores high; 5 % of all do, and that is what the report says."""
    run = start_enriched(pilot=pilot, drawn=draw(pilot=pilot, size=60))
    for item in run.items.select_related("article"):
        world.label(item.article, uplifting, oracle, [float(water(item.article)), 0.0])
    run.items.update(state=LabelingItem.State.LABELLED)
    lift = Report(run).rubrics[0].lifts[0]
    truth = positives(enrichment.pool_of(pilot) + drawn_keys(run)) / POOL
    assert lift.picked.share > 3 * truth and lift.whole.low <= truth <= lift.whole.high


def drawn_keys(run: LabelingRun) -> list[int]:
    return list(run.items.values_list("article", flat=True))


@pytest.mark.django_db
@pytest.mark.usefixtures("clear_sighted")
def test_a_large_pool_is_screened_in_part(pilot: LabelingRun, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(enrichment, "SCREENED", 100)
    drawn = draw(pilot=pilot, size=30)
    assert drawn.sampling["screened"] == 100 and sum(drawn.weights.values()) == pytest.approx(POOL)


@pytest.mark.django_db
@pytest.mark.usefixtures("clear_sighted")
def test_every_scale_counts_where_none_is_rare(pilot: LabelingRun, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sampled, "RARE", 0.0)
    assert draw(pilot=pilot, size=30).sampling["rule"].startswith("for each of Impact and Evidence in turn")


@pytest.mark.django_db
@pytest.mark.parametrize(("size", "sentence"), [(10, "takes 20 articles or more"), (400, "Only 400 articles passed")])
def test_a_draw_that_makes_no_sense_is_refused(pilot: LabelingRun, size: int, sentence: str):
    with pytest.raises(BadInput, match=sentence):
        draw(pilot=pilot, size=size)


@pytest.mark.django_db
def test_too_few_labels_are_refused(pilot: LabelingRun):
    pilot.items.exclude(pk__in=pilot.items.values("pk")[:5]).update(state="failed", error_class="refusal")
    with pytest.raises(BadInput, match="has 5 labels; 20 are the fewest to learn from"):
        draw(pilot=pilot, size=30)


@pytest.mark.django_db
def test_a_student_that_dies_says_so_and_leaves_nothing(pilot: LabelingRun, monkeypatch: pytest.MonkeyPatch, folders: Path):
    monkeypatch.setattr(enrichment, "SCREEN", (sys.executable, "-c", "import sys; sys.exit('no memory left')"))
    with pytest.raises(Permanent, match="likely articles failed. no memory left"):
        draw(pilot=pilot, size=30)
    assert not list((folders / "work").iterdir())


@pytest.mark.django_db
def test_a_student_that_takes_too_long_is_stopped(pilot: LabelingRun, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(enrichment, "SCREEN", (sys.executable, "-c", "import time; time.sleep(60)"))
    monkeypatch.setattr(enrichment, "SCREEN_SECONDS", 0.1)
    with pytest.raises(Permanent, match="took longer"):
        draw(pilot=pilot, size=30)


@pytest.mark.django_db
def test_the_command_draws_and_queues(pilot: LabelingRun, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(CommandError, match="Nothing is recorded for uplifting|recordings answer another rubric"):
        call_command("label", "uplifting", "--enrich", str(pilot.pk), "--size", "30", "--detach")
    call_command("label", "uplifting", "--enrich", str(pilot.pk), "--size", "30", "--plan")
    assert "It can't be started:" in capsys.readouterr().out


@pytest.fixture
def paid(uplifting: Any, folders: Path, settings: Any) -> Iterator[LabelingRun]:
    """The same pilot by an oracle that costs money."""
    with FakeVendor() as vendor:
        settings.ANTHROPIC_BASE_URL, settings.ANTHROPIC_API_KEY = vendor.url, KEY
        yield pilot_by(services.get_oracle(provider="anthropic"), uplifting, budget_usd=1, agreed=True)


@pytest.fixture
def lead(client: Any, db: None, django_user_model: Any) -> Any:
    client.force_login(django_user_model.objects.create_superuser("lead"))
    return client


ENRICH = {"size": "40", "mode": "direct", "seed": "0"}


def test_the_page_shows_the_plan_first(lead: Any, paid: LabelingRun):
    page = lead.get(f"/labels/{paid.pk}/enrich").content.decode()
    assert "Hardly any article scores 7 or more on Impact." in page and "400 articles passed the prefilter" in page
    plan = lead.post(f"/labels/{paid.pk}/enrich", {**ENRICH, "look": "yes"}, headers={"HX-Request": "true"}).content.decode()
    assert "Start: ask about 40 articles" in plan and "<html" not in plan and "counted by anthropic" in plan


@pytest.mark.usefixtures("clear_sighted")
def test_the_page_draws_and_starts(lead: Any, paid: LabelingRun, django_capture_on_commit_callbacks: Any):
    looked = lead.post(f"/labels/{paid.pk}/enrich", {**ENRICH, "look": "yes"}).context
    sent = {**ENRICH, "plan": looked["sealed"], "budget_usd": looked["cap"], "agree": "on", "start": "yes"}
    with django_capture_on_commit_callbacks() as tasks:
        answer = lead.post(f"/labels/{paid.pk}/enrich", sent)
    run = LabelingRun.objects.get(kind="enriched")
    assert answer["Location"] == f"/labels/{run.pk}/" and len(tasks) == 1
    assert (run.items.count(), run.plan["ask"], run.agreed["by"]) == (40, 40, "lead")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"agree": ""}, "Nothing is sent before you agree to it."),
        ({"budget_usd": ""}, "Give a cap in USD"),
        ({"size": "41"}, "look at it again"),
        ({"size": "400"}, "Only 400 articles passed"),
        ({"size": "3"}, "greater than or equal to 20"),
    ],
)
def test_the_page_says_what_is_missing(lead: Any, paid: LabelingRun, changes: dict[str, str], sentence: str):
    looked = lead.post(f"/labels/{paid.pk}/enrich", {**ENRICH, "look": "yes"}).context
    sent = {**ENRICH, "plan": looked["sealed"], "budget_usd": looked["cap"], "agree": "on", "start": "yes", **changes}
    answer = lead.post(f"/labels/{paid.pk}/enrich", sent)
    assert answer.status_code == 400 and sentence in answer.content.decode()
    assert not LabelingRun.objects.filter(kind="enriched").exists()


def test_a_student_that_dies_is_said_on_the_page(lead: Any, paid: LabelingRun, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(enrichment, "SCREEN", (sys.executable, "-c", "import sys; sys.exit('no memory left')"))
    looked = lead.post(f"/labels/{paid.pk}/enrich", {**ENRICH, "look": "yes"}).context
    sent = {**ENRICH, "plan": looked["sealed"], "budget_usd": looked["cap"], "agree": "on", "start": "yes"}
    assert "no memory left" in lead.post(f"/labels/{paid.pk}/enrich", sent).content.decode()


@pytest.mark.usefixtures("clear_sighted")
def test_the_command_asks_the_same_oracle(paid: LabelingRun, capsys: pytest.CaptureFixture[str]):
    words = ["label", "uplifting", "--enrich", str(paid.pk), "--size", "30", "--budget", "1", "--detach", "--json"]
    with pytest.raises(CommandError, match="Say that you agree with --agree"):
        call_command(*words)
    call_command(*words, "--agree")
    run = LabelingRun.objects.get(kind="enriched")
    assert run.oracle == paid.oracle and run.items.count() == 30 and '"kind": "enriched"' in capsys.readouterr().out


def test_the_likely_ones_are_taken_in_turn():
    guesses = {1: [9.0, 0.0], 2: [8.0, 7.0], 3: [7.0, 9.0], 4: [6.0, 8.0], 5: [0.0, 0.0]}
    assert choose(guesses, [0, 1], 3, set()) == {1, 3, 2}
    assert choose(guesses, [0], 2, set()) == {1, 2}


def test_an_unscreened_article_that_comes_up_is_likely_but_takes_no_place():
    assert choose({1: [3.0], 2: [2.0], 3: [1.0]}, [0], 1, {1}) == {1, 2}


def test_more_than_there_are_takes_all_that_is_not_in_already():
    assert choose({1: [1.0], 2: [2.0]}, [0], 5, {1}) == {2}


def test_a_weight_is_how_many_articles_one_stands_for():
    """Of 100: 10 likely ones, of which 2 were in the holdout of 20; its other 18 stand for the other 90."""
    likely, holdout = set(range(10)), {*range(2), *range(50, 68)}
    weights = weigh(likely, holdout, screened=100, pool=100)
    assert weights[0] == weights[9] == 1 and weights[50] == 5 and sum(weights.values()) == 100


def test_a_holdout_that_is_all_likely_stands_for_nothing():
    with pytest.raises(BadInput, match="none stands for the rest"):
        weigh({1, 2, 3}, {1, 2}, screened=10, pool=10)


LIGHT = (
    "import django, sys; django.setup(); import training.enrichment, training.views; "
    "print([m for m in ('sklearn', 'torch', 'scipy', 'anthropic') if m in sys.modules])"
)


def test_choosing_loads_nothing_heavy_into_a_worker():
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
