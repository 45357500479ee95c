"""An article's language, told by its letters and its commonest words."""

import pytest

from scoring.languages import guess, warnings

TAUGHT = {"en": 2950, "nl": 2, "": 40}
DUTCH = "De regering heeft gezegd dat het plan voor de woningen in de stad niet op tijd klaar is, en dat er meer geld nodig is."
TEXTS = {
    "English": "The government said that the plan for the new homes in the city is not ready, and that it needs more money.",
    "Dutch": DUTCH,
    "German": "Die Regierung hat gesagt, dass der Plan für die Wohnungen in der Stadt nicht fertig ist und das Geld dafür fehlt.",
    "French": "Le gouvernement a dit que le plan pour les maisons de la ville ne sera pas prêt et que les fonds sont au pays.",
    "Spanish": "El gobierno dijo hoy que el plan para las viviendas de la ciudad no estará listo y que se necesita más dinero.",
    "Chinese": "今天政府宣布新的计划，将在明年增加投资，帮助贫困地区的居民改善生活。",
    "Japanese": "今日、政府は新しい計画を発表しました。これは来年の投資を増やすものです。",
    "Cyrillic letters": "Правительство сегодня объявило о новом плане",
    "Hebrew": "😀 שלום זהו מבחן של טקסט מימין לשמאל",
    "Arabic letters": "أعلنت الحكومة اليوم عن خطة جديدة",
    "Korean": "정부는 오늘 새로운 계획을 발표했습니다",
}


@pytest.mark.parametrize(("name", "text"), TEXTS.items())
def test_it_tells_languages_apart(name, text):
    assert guess(text)[0] == name


@pytest.mark.parametrize(
    "text", ["", "😀😀😀", "12 34 56", "Water.", "Lorem ipsum dolor sit amet " * 6, "a b c d e f g h i j k " * 3]
)
def test_it_says_nothing_of_what_it_cannot_tell(text):
    assert guess(text) == ("", ())
    assert warnings(text, "", TAUGHT) == []


def test_a_passage_in_another_script_changes_nothing():
    assert guess(TEXTS["English"] * 3 + TEXTS["Chinese"])[0] == "English"


def test_an_untaught_language_is_flagged_with_how_often_it_was_seen():
    assert warnings(DUTCH, "", TAUGHT)[0].startswith("This looks like Dutch; only 2 of the 2,992 training articles")
    assert warnings(TEXTS["Chinese"], "", TAUGHT)[0].startswith("This looks like Chinese; none of the 2,992")
    assert warnings(DUTCH, "", {"en": 900, "nl": 100}) == []
    assert warnings(TEXTS["English"], "", TAUGHT) == []


def test_the_stored_language_is_believed():
    assert warnings(TEXTS["English"], "nl", TAUGHT)[0].startswith("This looks like Dutch")
    assert warnings("Xyz", "tl", TAUGHT)[0].startswith("This looks like the language “tl”")
    assert warnings(DUTCH, "en-GB", TAUGHT) == []


def test_nothing_is_said_where_the_training_articles_languages_are_unknown():
    assert warnings(DUTCH, "", {}) == [] and warnings(DUTCH, "", {"": 900, "en": 100}) == []


def test_letters_of_several_languages_are_taught_by_any_of_them():
    assert warnings(TEXTS["Cyrillic letters"], "", {"uk": 500, "en": 500}) == []
