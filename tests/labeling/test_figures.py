"""Counts that the pages show."""

import pytest

from labeling import figures, services
from labeling.models import Article, FilterVersion, LabelingItem, LabelingRun, Oracle
from tests.labeling import paid, world

SCORES = [(0, 10), (0, 7), (0.5, 6.5), (7, None), (9.5, None)]


@pytest.fixture
def oracle(version: FilterVersion) -> Oracle:
    oracle = services.get_oracle(provider="external", model="someone")
    world.articles(len(SCORES))
    rows = [{"id": str(number), "scores": {"good": good, "bad": bad}} for number, (good, bad) in enumerate(SCORES)]
    services.import_external_labels(version=version, oracle=oracle, source="desk", rows=rows)
    return oracle


def test_it_counts_scores_by_dimension(version: FilterVersion, oracle: Oracle):
    good, bad = figures.score_distributions(version=version, oracle=oracle)
    assert good.counts == (3, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0) and bad.counts == (0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1)
    assert (good.n, good.zero_share, good.high_share, good.null_share) == (5, 0.4, 0.4, 0.0)
    assert (bad.n, bad.zeros, bad.high, bad.null_share) == (3, 0, 2, 0.4)
    assert good.mean == pytest.approx(3.4) and bad.name == "Bad"


def test_a_dimension_without_a_label_has_no_mean(version: FilterVersion):
    unasked = services.get_oracle(provider="external", model="nobody")
    good, _ = figures.score_distributions(version=version, oracle=unasked)
    assert (good.n, good.mean, good.zero_share, good.null_share, sum(good.counts)) == (0, None, 0, 0, 0)


def test_it_groups_the_problems_of_a_run_with_one_example_each(version: FilterVersion):
    run = LabelingRun.objects.create(version=version, oracle=services.get_oracle(provider="recorded"))
    for number, article in enumerate(world.articles(4)):
        error = "refusal: cyber" if number == 3 else "invalid"
        LabelingItem.objects.create(run=run, article=article, state="failed", error_class=error, error=f"Problem {number}.")
    found = [(problem.error_class, problem.count, problem.message) for problem in figures.run_problems(run)]
    assert found == [("invalid", 3, "Problem 0."), ("refusal: cyber", 1, "Problem 3.")]
    assert figures.run_counts(run) == figures.RunCounts(failed=4) and figures.run_counts(run).total == 4


def test_it_tells_what_is_out_from_what_waits(version: FilterVersion):
    run = paid.run(version, 3)
    first, second, _ = run.items.order_by("pk")
    paid.labelled(first)
    paid.call(second, state="out")
    counts = figures.run_counts(run)
    assert counts == figures.RunCounts(labelled=1, waiting=2, out=1) and (counts.unasked, counts.total) == (1, 3)


def test_a_problem_leads_to_the_last_call_about_its_example(version: FilterVersion):
    run = paid.run(version, 1)
    paid.call(run.items.get(), error_class="invalid")
    last = paid.failed(run.items.get(), repair=True)
    assert [problem.call_key for problem in figures.run_problems(run)] == [last.key]


def test_it_counts_kinds_of_flags_whatever_numbers_they_carry(version: FilterVersion):
    run = paid.run(version)
    flags = (
        ("2 of 3 quotes not in the article", "repaired"),
        ("1 of 1 quotes not in the article",),
        ("5 quotes",),
        (),
    )
    for item, carried in zip(run.items.order_by("pk"), flags, strict=True):
        paid.labelled(item, flags=carried)
    assert figures.run_flags(run) == [("quotes not in the article", 2), ("quotes", 1), ("repaired", 1)]
    assert figures.flagged(run, "quotes not in the article").count() == 2
    assert not figures.flagged(run, "nonsense").exists()


def test_the_scores_of_a_joint_run_are_told_apart_by_rubric(version: FilterVersion):
    other = world.version(slug="other", name="Other")
    run = paid.run(version, 1)
    label = paid.labelled(run.items.get())
    label.pk, label.version, label.scores, label.request_hash = None, other, [1.0, 1.0], "other"
    label.save()
    assert [one.mean for one in figures.run_distributions(run)] == [7.0, 2.0]
    assert [one.mean for one in figures.run_distributions(run, other)] == [1.0, 1.0]


def test_it_counts_what_a_list_can_be_narrowed_by(version: FilterVersion):
    policy = version.policies.get()
    world.articles(2)
    services.import_articles(source="gazette", rows=[{"id": "1", "text": "Kurz.", "language": "de"}])
    services.run_prefilter(policy=policy)
    found = figures.article_facets(Article.objects.order_by("-published"), policy)
    assert found.sources == [figures.Facet("desk", 2), figures.Facet("gazette", 1)]
    assert found.languages == [figures.Facet("en", 2), figures.Facet("de", 1)]
    assert found.verdicts == [figures.Facet("passed", 3)]
    assert figures.article_facets(Article.objects.filter(source="gazette")).languages == [figures.Facet("de", 1)]


def test_it_totals_the_labels_of_a_rubric(version: FilterVersion, oracle: Oracle):
    totals = figures.label_totals(version)
    assert (totals.labels, totals.articles, totals.cost_usd) == (5, 5, 0)
