from pathlib import Path

import pytest

from distillery_site.common import env


@pytest.fixture
def given(monkeypatch):
    return lambda value: monkeypatch.setenv("SETTING", value)


def test_it_reads_each_type(given):
    given("7")
    assert (env.integer("SETTING", 1), env.number("SETTING", 1.0), env.text("SETTING")) == (7, 7.0, "7")


@pytest.mark.parametrize(("value", "meant"), [("yes", True), ("1", True), ("ON", True), ("no", False), ("0", False)])
def test_it_reads_yes_and_no(given, value, meant):
    given(value)
    assert env.flag("SETTING", not meant) is meant


def test_unset_and_blank_give_the_default(given, monkeypatch):
    monkeypatch.delenv("SETTING", raising=False)
    assert env.integer("SETTING", 3) == 3
    given("  ")
    assert env.flag("SETTING", True) is True


def test_a_list_is_separated_by_commas(given):
    given("a, b,,c")
    assert env.words("SETTING") == ["a", "b", "c"]


def test_a_path_knows_home(given):
    given("~/var")
    assert env.path("SETTING", Path("/unused")) == Path.home() / "var"


@pytest.mark.parametrize("read", [env.integer, env.number, env.flag])
def test_a_bad_value_is_a_sentence_that_names_the_setting(given, read):
    given("plenty")
    with pytest.raises(env.BadSetting, match="SETTING must be .* not 'plenty'"):
        read("SETTING", 1)
