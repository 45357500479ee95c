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


@pytest.fixture
def secrets(monkeypatch, tmp_path):
    """A secrets file with these lines, for this account alone."""
    monkeypatch.delenv("SETTING", raising=False)

    def write(content, mode=0o600):
        place = tmp_path / "secrets"
        place.write_text(content)
        place.chmod(mode)
        monkeypatch.setenv("DISTILLERY_SECRETS", str(place))
        return place

    return write


def test_a_secret_is_a_line_of_the_secrets_file(secrets):
    secrets("# keys of the vendors\n\nOTHER=1\nexport SETTING = 'sk-abc=='\n")
    assert (env.secret("SETTING"), env.secret("OTHER"), env.secret("NEITHER")) == ("sk-abc==", "1", "")


def test_the_variable_itself_comes_first_and_a_file_of_its_own_next(secrets, given, monkeypatch, tmp_path):
    secrets("SETTING=third")
    (tmp_path / "own").write_text("second\n")
    monkeypatch.setenv("SETTING_FILE", str(tmp_path / "own"))
    assert env.secret("SETTING") == "second"
    given("first")
    assert env.secret("SETTING") == "first"


@pytest.mark.parametrize("mode", [0o604, 0o666, 0o644])
def test_a_secrets_file_that_everybody_can_open_is_refused_with_what_to_do(secrets, mode):
    place = secrets("SETTING=sk-abc", mode)
    with pytest.raises(env.BadSetting, match=f"chmod 600 {place}") as caught:
        env.secret("SETTING")
    assert "sk-abc" not in str(caught.value)


def test_a_secrets_file_that_is_not_there_is_named(monkeypatch):
    monkeypatch.delenv("SETTING", raising=False)
    monkeypatch.setenv("DISTILLERY_SECRETS", "/nowhere/secrets")
    with pytest.raises(env.BadSetting, match="/nowhere/secrets can't be read .No such file"):
        env.secret("SETTING")


@pytest.mark.parametrize("value", ["sk abc", "sk-äbc", "sk\u200bzero"])
def test_a_key_that_was_pasted_wrongly_is_said_without_showing_it(given, value):
    given(value)
    with pytest.raises(env.BadSetting, match="SETTING holds a space") as caught:
        env.secret("SETTING")
    assert value not in str(caught.value)


def test_a_choice_is_one_of_its_words_and_the_first_by_default(given, monkeypatch):
    monkeypatch.delenv("SETTING", raising=False)
    assert env.choice("SETTING", ("shrink", "cpu")) == "shrink"
    given("CPU")
    assert env.choice("SETTING", ("shrink", "cpu")) == "cpu"
    given("gpu")
    with pytest.raises(env.BadSetting, match="one of shrink, cpu, not 'gpu'"):
        env.choice("SETTING", ("shrink", "cpu"))


def test_a_share_is_above_nothing_and_at_most_all(given):
    given("0.25")
    assert env.share("SETTING", 1.0) == 0.25
    given("25")
    with pytest.raises(env.BadSetting, match="a share above 0 and up to 1, not 25"):
        env.share("SETTING", 1.0)
