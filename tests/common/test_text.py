import pytest

from distillery_site.common.text import count_words, first_words, normalise, render_view, text_hash


def test_texts_that_read_the_same_are_the_same():
    assert text_hash("Caf\u00e9  opens\n") == text_hash("Cafe\u0301 opens")


def test_texts_that_read_differently_are_not():
    assert text_hash("A well opens") != text_hash("A well closes")


def test_normalising_drops_what_postgres_cannot_store():
    assert normalise("a\x00b") == "a b"


@pytest.mark.parametrize(("text", "words"), [("", 0), ("  ", 0), ("one", 1), ("one\ttwo\nthree", 3)])
def test_it_counts_words(text, words):
    assert count_words(text) == words


def test_it_cuts_after_whole_words():
    assert first_words("one  two three", 2) == "one two"


def test_a_view_shows_its_fields_in_order_and_cuts_only_the_text():
    fields = {"title": "A well for the village", "published": "2017-02-01", "text": "Water now flows here"}
    assert render_view(fields, ["title", "published", "text"], 2) == "A well for the village\n\n2017-02-01\n\nWater now"


def test_a_view_leaves_empty_fields_out():
    assert render_view({"title": "", "text": "Water"}, ["title", "published", "text"], 5) == "Water"
