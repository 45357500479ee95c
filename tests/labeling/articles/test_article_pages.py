"""The list of articles, one article, and importing files of them."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from labeling import services
from labeling.models import Article, OracleLabel, ReviewTask
from tests.labeling import world


@pytest.fixture
def lead(client: Client, db: None, django_user_model: Any) -> Client:
    client.force_login(django_user_model.objects.create_superuser("lead"))
    return client


def text_of(response: Any) -> str:
    return response.content.decode()


def judge(article: Article, version: Any, scores: list[float | None], reading: int = 1) -> OracleLabel:
    oracle = services.get_oracle(provider="external", model="A careful judge")
    return OracleLabel.objects.create(
        version=version,
        article=article,
        oracle=oracle,
        reading=reading,
        scores=scores,
        reasoning="Because of the water.",
        text_sha256=article.text_sha256,
        rubric_hash=version.rubric_hash,
        request_hash=OracleLabel.request_hash_of(article.text_sha256, version, "", oracle, reading),
    )


def test_it_lists_articles_with_verdict_and_scores(lead: Client, version: Any):
    first, second = world.articles(2)
    services.run_prefilter(policy=version.policies.get())
    judge(first, version, [4.0, None])
    shown = text_of(lead.get("/articles/"))
    assert "Title 0" in shown and "Title 1" in shown
    assert "Good 4.0, Bad –" in shown and "not labelled" in shown


def test_it_finds_words_in_title_and_text(lead: Client, version: Any):
    world.articles(3)
    shown = text_of(lead.get("/articles/?q=word1x3"))
    assert "Title 1" in shown and "Title 2" not in shown and "1 article found" in shown


@pytest.mark.parametrize(
    ("query", "titles"),
    [("labelled=yes", ["Title 0"]), ("labelled=no", ["Title 1"]), ("language=en", ["Title 0", "Title 1"])],
)
def test_it_narrows_by_facets(lead: Client, version: Any, query: str, titles: list[str]):
    judge(world.articles(2)[0], version, [4.0, 2.0])
    shown = text_of(lead.get(f"/articles/?{query}"))
    assert [title for title in ("Title 0", "Title 1") if title in shown] == titles


def test_it_narrows_by_the_reason_of_a_drop(lead: Client):
    version = world.version(prefilter={"exclude": ["word1x"]})
    world.articles(2)
    services.run_prefilter(policy=version.policies.get())
    shown = text_of(lead.get("/articles/?verdict=excluded"))
    assert "Title 1" in shown and "Title 0" not in shown


def test_it_turns_pages_without_losing_the_search(lead: Client, db: None):
    world.articles(51)
    shown = text_of(lead.get("/articles/?source=desk"))
    assert "1–50 of 51" in shown and "source=desk&amp;page=2" in shown


def test_it_says_what_to_do_where_there_are_no_articles(lead: Client):
    assert "python manage.py import_articles" in text_of(lead.get("/articles/"))


def test_an_odd_query_is_no_error(lead: Client, version: Any):
    world.articles(1)
    assert lead.get("/articles/?page=nonsense&q=%00%27(&verdict=%3Cb%3E").status_code == 200


def test_the_list_takes_few_queries_however_long_it_is(lead: Client, version: Any, django_assert_max_num_queries: Any):
    world.articles(60)
    with django_assert_max_num_queries(20):
        lead.get("/articles/")


def test_an_article_shows_every_judgement_side_by_side(lead: Client, version: Any, reviewer: Any):
    article = world.articles(1)[0]
    judge(article, version, [4.0, 2.0])
    judge(article, version, [5.0, 2.5], reading=2)
    task = services.open_review(version=version, article=article, reason=ReviewTask.Reason.SENT)
    services.submit_review(task=task, reviewer=reviewer, scores=[7.0, None], comment="Better than it says.")
    shown = text_of(lead.get(f"/articles/{article.pk}/"))
    for part in ("A careful judge", "reading 2", "reviewer", "7.0", "Because of the water.", "Better than it says."):
        assert part in shown


def test_an_article_marks_what_nobody_reads(lead: Client):
    world.version(view={"fields": ["title", "text"], "max_words": 10})
    article = world.articles(1)[0]
    shown = text_of(lead.get(f"/articles/{article.pk}/"))
    before, after = shown.split("Oracle and student read up to here: 10 words.")
    assert "word0x9" in before and "word0x10 " in after


def test_scores_of_an_earlier_text_say_so(lead: Client, version: Any):
    article = world.articles(1)[0]
    judge(article, version, [4.0, 2.0])
    services.import_articles(source="desk", rows=[{"id": "0", "title": "Title 0", "text": "Edited since. " * 40}])
    assert "earlier text" in text_of(lead.get(f"/articles/{article.pk}/"))


def test_what_an_article_says_is_never_markup(lead: Client, version: Any):
    rows = [{"id": "x", "title": "<script>alert(1)</script>", "text": "<img src=x> and more", "url": "javascript:alert(1)"}]
    services.import_articles(source="desk", rows=rows)
    shown = text_of(lead.get(f"/articles/{Article.objects.get().pk}/"))
    assert "<script>alert" not in shown and "<img src=x>" not in shown and "javascript:" not in shown


def test_a_person_sends_an_article_to_review(lead: Client, version: Any):
    article = world.articles(1)[0]
    lead.post(f"/articles/{article.pk}/send", {"version": version.pk})
    task = ReviewTask.objects.get()
    assert (task.article, task.version, task.reason, task.detail) == (article, version, "sent", "Sent by lead.")


def upload(rows: list[Any], name: str = "news.jsonl") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows).encode())


def test_a_file_of_articles_is_imported_and_every_row_accounted_for(lead: Client, db: None):
    file = upload([*world.rows(2), "{broken", {"id": "e", "text": ""}])
    shown = text_of(lead.post("/articles/import", {"file": file, "source": "desk"}))
    assert Article.objects.count() == 2
    assert "2 new" in shown and "invalid JSON" in shown and "empty" in shown


def test_scores_in_a_file_become_labels_of_a_named_oracle(lead: Client, version: Any):
    rows = [{**row, "scores": {"good": 3, "bad": None}, "reasoning": "So it is."} for row in world.rows(1)]
    lead.post("/articles/import", {"file": upload(rows), "source": "desk", "filter": version.filter.pk, "oracle": "Somebody"})
    label = OracleLabel.objects.get()
    assert (label.scores, label.oracle.provider, str(label.oracle)) == ([3.0, None], "external", "Somebody")


def test_scores_without_an_oracle_are_refused(lead: Client, version: Any):
    answer = lead.post("/articles/import", {"file": upload(world.rows(1)), "source": "desk", "filter": version.filter.pk})
    assert answer.status_code == 400 and "Name the oracle that gave the scores" in text_of(answer)
    assert not Article.objects.exists()


def test_a_file_of_another_kind_is_refused_with_a_sentence(lead: Client, db: None):
    answer = lead.post("/articles/import", {"file": upload(world.rows(1), "news.pdf"), "source": "desk"})
    assert answer.status_code == 400 and "must be a .jsonl or a .csv file" in text_of(answer)
