"""What is said of an oracle's steadiness, worked out by hand."""

import math

import pytest

from labeling.comparing.agreement import between, repeat, repeat_errors
from labeling.comparing.readings import source
from labeling.models import Article, FilterVersion, Oracle
from tests.labeling import world
from tests.labeling.comparing import judges

FIRST = [(2, 0), (4, 1), (6, None), (8, 3)]
SECOND = [(3, 0), (4, 3), (4, 5), (8, None)]


@pytest.fixture
def stories(version: FilterVersion) -> list[Article]:
    return world.articles(8)


@pytest.fixture
def claude(version: FilterVersion, stories: list[Article]) -> Oracle:
    """Twice four articles; their distances are 1, 0, 2, 0 on `good` and 0, 2 on `bad`, where two pairs lack a score."""
    claude = judges.oracle()
    judges.says(claude, version, list(zip(stories, FIRST, strict=False)))
    judges.says(claude, version, list(zip(stories, SECOND, strict=False)), reading=2)
    return claude


def test_the_repeat_error_is_the_mean_distance_of_two_readings(version: FilterVersion, claude: Oracle):
    found = repeat(version, claude)
    good, bad = found.dimensions
    assert (good.mae.value, good.mae.n) == (0.75, 4) and (bad.mae.value, bad.mae.n) == (1.0, 2)
    assert (found.mae.value, found.articles) == (0.875, 4), "the mean over dimensions"
    assert (good.within.value, bad.within.value) == (0.75, 0.5)
    assert good.mae.low <= 0.75 <= good.mae.high


def test_it_knows_which_reading_is_stricter(version: FilterVersion, claude: Oracle):
    good, bad = repeat(version, claude).dimensions
    assert [shift.value for shift in good.bias] == [-0.25] and [shift.value for shift in bad.bias] == [1.0]


def test_agreement_is_worked_out_on_pairs_that_are_there(version: FilterVersion, claude: Oracle):
    """By hand for `good`: MSR = 10.7917, MSC = 0.125, MSE = 0.7917, so 10 / (11.5833 + 0.5 · −0.6667) = 8/9."""
    good, bad = repeat(version, claude).dimensions
    assert good.icc.value == pytest.approx(8 / 9) and good.icc.n == 4
    assert bad.icc.n == 2
    assert good.alpha.value == pytest.approx(1 - (5 / 8) / (279 / 56)), "observed and expected squared differences, by hand"


def test_an_article_read_three_times_counts_once_with_the_mean_of_its_pairs(
    version: FilterVersion, stories: list[Article], claude: Oracle
):
    judges.says(claude, version, [(stories[0], (5, 0))], reading=3)
    found = repeat(version, claude)
    assert found.readings == (1, 2, 3)
    assert found.dimensions[0].mae.value == pytest.approx(((1 + 3 + 2) / 3 + 0 + 2 + 0) / 4)
    assert [(shift.value, shift.n) for shift in found.dimensions[0].bias] == [(-0.25, 4), (3.0, 1)]
    assert found.sentence.startswith("Asked 3 times, Claude differs from itself by ")


def test_it_says_so_in_a_sentence(version: FilterVersion, claude: Oracle):
    said = repeat(version, claude).sentence
    assert said.startswith("Asked twice, Claude differs from itself by 0.88 points on average (")
    assert said.endswith("); 62\u202f% of its scores stay within a point.")


def test_the_same_labels_give_the_same_figures(version: FilterVersion, claude: Oracle):
    assert repeat(version, claude) == repeat(version, claude)


def test_readings_in_other_words_are_left_out(version: FilterVersion, stories: list[Article], claude: Oracle):
    judges.says(claude, version, [(story, (0, 0)) for story in stories[:2]], prompt=judges.JOINT)
    judges.says(claude, version, [(story, (9, 9)) for story in stories[:2]], prompt=judges.JOINT, reading=2)
    assert repeat(version, claude).mae.value == 0.875
    assert repeat(version, claude, judges.JOINT).mae.value == 9.0


def test_what_was_never_read_twice_has_no_repeat_error(version: FilterVersion, stories: list[Article]):
    gemini = judges.oracle("Gemini")
    assert repeat(version, gemini) is None
    judges.says(gemini, version, [(stories[0], (1, 1))])
    assert repeat(version, gemini) is None
    assert repeat_errors(source(version, gemini)).shape == (0, 2)


def test_two_readings_without_a_common_score_say_nothing(version: FilterVersion, stories: list[Article]):
    gemini = judges.oracle("Gemini")
    judges.says(gemini, version, [(stories[0], (1, None))])
    judges.says(gemini, version, [(stories[0], (None, 1))], reading=2)
    assert repeat(version, gemini) is None


@pytest.fixture
def gemini(version: FilterVersion, stories: list[Article], claude: Oracle) -> Oracle:
    """Stricter by two on `good` wherever both said something; on `bad` the same. One article that Claude did not read."""
    gemini = judges.oracle("Gemini")
    said = [(story, (good - 2, bad)) for story, (good, bad) in zip(stories, FIRST, strict=False)]
    judges.says(gemini, version, [*said, (stories[7], (9, 9))])
    judges.says(gemini, version, [(stories[0], (9, 9))], reading=2)
    return gemini


def test_a_second_oracle_is_compared_on_the_same_articles(version: FilterVersion, claude: Oracle, gemini: Oracle):
    good, bad = between(version, claude, gemini).dimensions
    assert (good.bias.value, good.bias.low, good.bias.high, good.bias.n) == (-2.0, -2.0, -2.0, 4)
    assert (good.mae.value, good.spearman, good.within.value) == (2.0, pytest.approx(1), 0.0)
    assert (bad.mae.value, bad.mae.n, bad.within.value) == (0.0, 3, 1.0)
    assert good.icc.value < 1 and bad.icc.value == pytest.approx(1)


def test_it_says_who_is_stricter_on_what(version: FilterVersion, claude: Oracle, gemini: Oracle):
    said = "Gemini is 2.00 stricter on Good; it differs from Claude by 1.00 points on average."
    assert between(version, claude, gemini).sentence == said
    turned = "Claude is 2.00 milder on Good; it differs from Gemini by 1.00 points on average."
    assert between(version, gemini, claude).sentence == turned


def test_a_shift_that_is_not_sure_is_not_told(version: FilterVersion, stories: list[Article], claude: Oracle):
    wild = judges.oracle("Wild")
    judges.says(wild, version, [(story, (10 - good, bad)) for story, (good, bad) in zip(stories, FIRST, strict=False)])
    found = between(version, claude, wild)
    assert not found.shifts and "is neither stricter nor milder for sure" in found.sentence
    assert found.dimensions[0].spearman == pytest.approx(-1)


def test_two_oracles_without_a_common_article_are_not_compared(version: FilterVersion, stories: list[Article], claude: Oracle):
    other = judges.oracle("Other")
    assert between(version, claude, other) is None
    judges.says(other, version, [(stories[7], (9, 9))])
    assert between(version, claude, other) is None


def test_a_constant_oracle_has_no_correlation_and_no_warning(
    version: FilterVersion, stories: list[Article], recwarn: pytest.WarningsRecorder
):
    flat = judges.oracle("Flat")
    for reading in (1, 2):
        judges.says(flat, version, [(story, (0, 0)) for story in stories], reading=reading)
    good = repeat(version, flat).dimensions[0]
    assert (good.mae.value, good.within.value) == (0.0, 1.0)
    assert math.isnan(good.icc.value) and math.isnan(good.alpha.value)
    assert not recwarn.list
