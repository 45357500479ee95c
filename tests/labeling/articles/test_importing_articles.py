"""Articles come in whole, once, and whatever stays out says why."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from distillery_site.common.errors import BadInput
from distillery_site.common.models import AuditEntry
from labeling import services
from labeling.articles import intake
from labeling.articles.article_files import MAX_LINE_BYTES, read_rows
from labeling.models import Article
from tests.labeling import world

pytestmark = pytest.mark.django_db


def bring(*rows: dict[str, Any]) -> services.ImportReport:
    return services.import_articles(source="desk", rows=rows)


def bring_file(path: Path, content: str | bytes) -> services.ImportReport:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return services.import_articles(source="desk", rows=read_rows(path))


def test_it_stores_every_field(analyst: Any):
    row = {
        "id": 7,
        "title": " Rain ",
        "content": "It rained.\x00",
        "url": "https://x.test/7",
        "source": "gazette",
        "published_date": "2026-11-24T08:00:00Z",
        "language": "EN",
        "extra": [1],
    }
    assert services.import_articles(source="desk", rows=[row], actor=analyst).created == 1
    article = Article.objects.get()
    assert (article.source, article.external_id, article.title, article.text) == ("gazette", "7", "Rain", "It rained.")
    assert (article.published, article.language, article.words) == (date(2026, 11, 24), "en", 2)
    assert AuditEntry.objects.get().actor == analyst


def test_importing_again_changes_nothing():
    bring(*world.rows(3))
    report = bring(*world.rows(3))
    assert (report.created, report.updated, report.unchanged) == (0, 0, 3)


def test_an_edited_text_updates_the_row_and_its_hash():
    bring(*world.rows(2))
    before = Article.objects.get(external_id="1")
    report = bring({**world.rows(1, first=1)[0], "text": "Now something else."})
    after = Article.objects.get(external_id="1")
    assert (report.updated, after.pk, after.words) == (1, before.pk, 3)
    assert after.text_sha256 != before.text_sha256


def test_a_new_title_is_a_new_text_to_whoever_reads_it():
    bring(*world.rows(1))
    before = Article.objects.get().text_sha256
    bring({**world.rows(1)[0], "title": "Another"})
    assert Article.objects.get().text_sha256 != before


def test_white_space_makes_no_new_text():
    bring({"id": "1", "text": "It  rained.", "language": "en"})
    before = Article.objects.get().text_sha256
    bring({"id": "1", "text": "It\nrained. ", "language": "en"})
    assert Article.objects.get().text_sha256 == before


def test_of_two_rows_with_one_id_the_later_wins():
    report = bring({"id": "1", "text": "First."}, {"id": "1", "text": "Second."})
    assert (report.created, report.updated, Article.objects.get().text) == (1, 1, "Second.")


def test_a_language_is_detected_once():
    bring({"id": "1", "text": "Le ministre a déclaré mardi que le projet serait soumis au vote avant l'été."})
    assert Article.objects.get().language == "fr"
    Article.objects.update(language="xx")
    assert bring({"id": "1", "text": Article.objects.get().text}).unchanged == 1


@pytest.mark.parametrize(
    ("row", "reason", "sentence"),
    [
        ({"text": "No id."}, "no id", "Row 2: there is no id."),
        ({"id": "9"}, "empty", "Row 2: article '9' has no text."),
        ({"id": "9", "text": " \n "}, "empty", "Row 2: article '9' has no text."),
        ({"id": "9", "text": "x" * 1_000_000}, "too long", "more than 200,000 characters of text"),
        ({"id": "9", "text": "Hm.", "published_date": "yesterday"}, "bad date", "'yesterday' is not a date"),
        ({"id": "9", "text": "Hm.", "published_date": "2026-13-01"}, "bad date", "'2026-13-01' is not a date"),
        ({"id": "9", "text": ["Hm."]}, "wrong type", "text must be text, not list"),
        ({"id": "9" * 201, "text": "Hm."}, "id too long", "more than 200 characters"),
    ],
)
def test_a_bad_row_is_counted_and_named_and_the_good_ones_stay(row: dict[str, Any], reason: str, sentence: str):
    report = bring({"id": "1", "text": "Good."}, row, {"id": "2", "text": "Good too."})
    assert (report.created, report.rejected, Article.objects.count()) == (2, {reason: 1}, 2)
    assert sentence in report.examples[0]


def test_half_a_character_does_not_stop_an_import():
    assert bring({"id": "1", "text": json.loads('"Broken \\ud83d emoji."')}).created == 1
    assert Article.objects.get().text == "Broken � emoji."


def test_it_reads_jsonl_and_names_the_lines_that_are_none(tmp_path: Path):
    good = json.dumps({"id": "1", "text": "Good."})
    huge = b'{"id": "2", "text": "' + b"x" * MAX_LINE_BYTES + b'"}'
    lines = [b"\xef\xbb\xbf" + good.encode(), b"", b"{oops", b"[1]", b'{"id": "\xff"}', huge, b'{"id": "3", "text": "Last."}']
    report = bring_file(tmp_path / "articles.jsonl", b"\n".join(lines))
    assert report.created == 2
    assert report.rejected == {"invalid JSON": 2, "not UTF-8": 1, "too long": 1}
    assert [example.split(" is ")[0] for example in report.examples] == ["Line 3", "Line 4", "Line 5", "Line 6"]


def test_it_reads_csv_with_quotes_and_line_breaks(tmp_path: Path):
    text = 'Id,Title,Text,published_date\n1,Rain,"It rained,\nagain.",2017/2/7\n2,Sun,,\n3,Snow,Fell.,,more\n'
    report = bring_file(tmp_path / "articles.csv", text)
    assert (report.created, report.rejected) == (1, {"empty": 1, "invalid CSV": 1})
    assert Article.objects.get().text == "It rained,\nagain."
    assert report.examples[0].startswith("Line 4:")


def test_a_file_of_another_kind_is_refused(tmp_path: Path):
    with pytest.raises(BadInput, match=r"must be a .jsonl or a .csv"):
        bring_file(tmp_path / "articles.xlsx", "")


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(BadInput, match="No such file"):
        list(read_rows(tmp_path / "nothing.jsonl"))


def test_it_tells_how_far_it_is_and_holds_only_a_batch(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(intake, "BATCH", 2)
    seen: list[int] = []
    services.import_articles(source="desk", rows=iter(world.rows(5)), on_progress=seen.append)
    assert seen == [2, 4, 5]
