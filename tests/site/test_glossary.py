"""The glossary's entries are the pages' tooltips, so a page must not use a word that isn't there."""

import re
from pathlib import Path

import pytest
from django.template import Context, Template

from distillery_site.glossary import TERMS

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"


def test_every_term_that_a_page_uses_is_explained():
    used = {key for page in TEMPLATES.rglob("*.html") for key in re.findall(r'{% term "(\w+)"', page.read_text())}
    assert used and used <= TERMS.keys()


def test_every_explanation_is_one_sentence():
    assert [key for key, (_, sentence) in TERMS.items() if not sentence.endswith(".") or len(sentence) > 200] == []


def test_a_term_shows_its_sentence_to_eyes_and_to_screen_readers():
    shown = Template('{% load distillery %}{% term "mae" "misses by" %}').render(Context())
    assert 'href="/glossary#mae"' in shown and ">misses by</a>" in shown
    assert shown.count("How many points a student misses the oracle by") == 2


def test_an_unknown_term_is_an_error():
    with pytest.raises(KeyError):
        Template('{% load distillery %}{% term "nonsense" %}').render(Context())
