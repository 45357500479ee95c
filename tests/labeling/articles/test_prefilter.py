"""The declarative prefilter: each rule, and verdicts that are kept for each article."""

from typing import Any

import pytest

from labeling import figures, services
from labeling.articles.language import detector
from labeling.articles.prefilter import PASSED, Rules, Verdict, judge
from labeling.models import Article
from tests.labeling import world


def verdict(text: str = "one two three", language: str = "en", title: str = "", **rules: Any) -> Verdict:
    return judge(text, len(text.split()), language, Rules.from_policy(rules), set(), title=title)


def test_it_passes_what_breaks_no_rule():
    words = {"min_words": 3, "max_words": 3, "unique_first_words": 2}
    rules = {**words, "languages": ["en"], "include": ["tw."], "exclude": ["four"]}
    assert verdict(**rules) == PASSED
    assert set(Rules.from_policy(rules).active) == set(rules)


@pytest.mark.parametrize(
    ("rules", "reason", "detail"),
    [
        ({"min_words": 4}, "too short", "3 of at least 4 words"),
        ({"max_words": 2}, "too long", "3 of at most 2 words"),
        ({"languages": ["fr", "de"]}, "language", "en, not fr or de"),
        ({"include": ["four"]}, "not included", "matches none of the include patterns"),
        ({"exclude": ["th.ee"]}, "excluded", "matches 'three'"),
    ],
)
def test_each_rule_says_why(rules: dict[str, Any], reason: str, detail: str):
    assert verdict(**rules) == Verdict(False, reason, detail)


def test_patterns_see_the_title_too():
    assert not verdict(title="Sponsored", exclude=["Sponsored"]).passed


def test_an_unclear_language_is_no_language_of_the_list():
    assert verdict(language="", languages=["en"]).detail == "unclear, not en"


def test_only_the_first_of_two_equal_openings_passes():
    rules, seen = Rules.from_policy({"unique_first_words": 2}), set[str]()
    verdicts = [judge(text, 3, "en", rules, seen) for text in ("a b c", "a  b d", "b a c")]
    assert [found.reason for found in verdicts] == ["", "same opening", ""]


def test_an_unknown_rule_is_not_ignored():
    with pytest.raises(TypeError):
        Rules.from_policy({"max_adjectives": 3})


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The minister said on Tuesday that the bill would be put to a vote before the summer.", "en"),
        ("Le ministre a déclaré mardi que le projet de loi serait soumis au vote avant l'été.", "fr"),
        ("View Comments", ""),
        ("- -", ""),
    ],
)
def test_a_language_is_named_only_when_it_is_clear(text: str, language: str):
    with detector() as languages:
        assert languages.detect([text, text]) == [language, language]


def test_it_keeps_a_verdict_for_every_article(db: None):
    policy = world.version(prefilter={"min_words": 60}).policies.get()
    world.articles(3)
    services.import_articles(source="desk", rows=[{"id": "short", "text": "Too few words."}])
    assert services.run_prefilter(policy=policy) == {"passed": 3, "dropped": {"too short": 1}}
    short = Article.objects.get(external_id="short").verdicts.get()
    assert str(short) == "too short: 3 of at least 60 words"
    assert figures.prefilter_counts(policy) == figures.PrefilterCounts(3, {"too short": 1}, 0)


def test_a_second_pass_replaces_the_verdicts_of_the_first(db: None):
    policy = world.version(prefilter={"min_words": 60}).policies.get()
    services.import_articles(source="desk", rows=[{"id": "1", "text": "Too few words."}])
    services.run_prefilter(policy=policy)
    services.import_articles(source="desk", rows=world.rows(1, first=1))
    assert services.run_prefilter(policy=policy) == {"passed": 1, "dropped": {}}
    assert policy.verdicts.count() == 1


def test_a_sample_is_random_and_repeatable(db: None):
    policy = world.version().policies.get()
    found = world.keys(world.articles(40))
    services.run_prefilter(policy=policy)
    draw, same, other = (services.sample_articles(policy=policy, size=10, seed=seed) for seed in (7, 7, 8))
    assert draw == same != other
    assert set(draw) < set(found) and services.sample_articles(policy=policy) == found
