"""The demo's real news through import, prefilter and the recorded oracle, counted to the last article."""

from pathlib import Path

import pytest

from labeling import figures, services
from labeling.demo import articles as news
from labeling.demo import oracle as recorded
from labeling.demo import recordings
from labeling.models import Article, FilterVersion, LabelingItem, LabelingRun, OracleLabel
from labeling.rubrics.packages import load_package

State = LabelingItem.State


def version_of(slug: str) -> FilterVersion:
    return services.import_package(package=load_package(recordings.FOLDER / slug))


def replay(version: FilterVersion, articles: list[int], reading: int = 1) -> LabelingRun:
    run = services.start_labeling(version=version, oracle=recorded.oracle(), articles=articles, reading=reading)
    services.run_labeling(run_id=run.pk)
    run.refresh_from_db()
    return run


@pytest.fixture
def reread(wheel: Path, db: None) -> list[int]:
    """The 96 articles that the oracle read twice, and none else."""
    wanted = set(recorded.reread_ids())
    services.import_articles(source=news.SOURCE, rows=(row for row in news.read(wheel) if row["id"] in wanted))
    return list(Article.objects.values_list("pk", flat=True))


def test_it_labels_every_recorded_article_and_names_the_rest(wheel: Path, db: None):
    articles = services.import_articles(source=news.SOURCE, rows=news.read(wheel))
    assert (articles.created, articles.rejected) == (news.ROWS - news.WITHOUT_TEXT, {"empty": news.WITHOUT_TEXT})
    version = version_of("uplifting")
    policy = version.policies.get()
    assert services.run_prefilter(policy=policy) == {"passed": 3690, "dropped": {"too short": 95, "same opening": 3}}
    run = replay(version, services.sample_articles(policy=policy))
    assert (run.state, run.stage) == ("done", "3,546 labelled, 144 without a recording")
    assert figures.run_counts(run) == figures.RunCounts(labelled=3546, absent=144)
    assert run.progress_done == run.progress_total == 3690
    check_provenance(run)


def check_provenance(run: LabelingRun) -> None:
    label = OracleLabel.objects.get(run=run, article__external_id="4")
    assert label.scores[:4] == [1.0, 1.0, 4.0, 3.0]
    assert label.rubric_hash == run.version.rubric_hash and label.text_sha256 == label.article.text_sha256
    assert label.reasoning in label.raw_answer and label.response_model == "claude"
    assert "November 2026" in run.oracle.about and "joint reading" in run.oracle.about


@pytest.mark.parametrize(("slug", "expected"), [("investment_risk", 0.192), ("uplifting", 0.227)])
def test_it_measures_how_much_the_oracle_differs_from_itself(reread: list[int], slug: str, expected: float):
    version = version_of(slug)
    assert [replay(version, reread, reading).state for reading in (1, 2)] == ["done", "done"]
    pairs = services.repeat_pairs(version, recorded.oracle())
    gaps = [abs(a - b) for _, first, second in pairs for a, b in zip(first, second, strict=True)]
    assert len(pairs) == 96 and sum(gaps) / len(gaps) == pytest.approx(expected, abs=0.0005)


def test_it_will_not_answer_another_rubric_with_recordings(reread: list[int]):
    package = load_package(recordings.FOLDER / "uplifting")
    changed = services.import_package(package=package.model_copy(update={"prompt": "Is it cheerful?"}))
    run = replay(changed, reread[:1])
    assert run.state == "failed" and "another rubric" in run.error
    assert not run.labels.exists()


def test_it_has_no_recordings_for_a_rubric_that_was_never_asked(reread: list[int]):
    run = replay(version_of("sustainability_tech_innovation"), reread[:1])
    assert run.state == "failed" and "Nothing is recorded for sustainability_tech_innovation" in run.error


def test_the_same_article_number_of_another_source_is_another_article(reread: list[int]):
    number = recorded.reread_ids()[0]
    services.import_articles(source="desk", rows=[{"id": number, "text": "Something else.", "language": "en"}])
    run = replay(version_of("uplifting"), [Article.objects.get(source="desk").pk])
    assert figures.run_counts(run) == figures.RunCounts(absent=1)
