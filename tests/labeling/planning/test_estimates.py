"""What a sample says of all articles, with its interval."""

import random

import pytest

from labeling.planning.estimates import correlation, mean_of, weighted_share, wilson


def test_the_interval_of_a_share_is_wilsons():
    low, high = wilson(0.5, 100)
    assert (round(low, 3), round(high, 3)) == (0.404, 0.596)  # as in Brown, Cai & DasGupta (2001)


def test_nothing_found_in_eighty_still_leaves_room():
    low, high = wilson(0, 80)
    assert low == 0 and 0.04 < high < 0.05


def test_a_share_of_nothing_is_unknown():
    assert weighted_share([]) is None and wilson(0.3, 0) == (0.0, 1.0)


def test_even_weights_count_every_article_once():
    share = weighted_share([(2.0, True), (2.0, False), (2.0, False), (2.0, False)])
    assert share is not None and (share.share, share.n, share.effective) == (0.25, 4, 4.0)


def test_uneven_weights_make_a_sample_worth_fewer():
    share = weighted_share([(1.0, True)] * 10 + [(9.0, False)] * 10)
    assert share is not None and share.share == pytest.approx(0.1)
    assert share.n == 20 and share.effective == pytest.approx(100**2 / 820)


def test_weights_undo_an_enriched_draw():
    """Of 1,000 articles 50 are positive; a draw that takes 40 of these and 60 others in all must still say 5 %."""
    chance, inside = random.Random(3), 0
    for _ in range(200):
        positives = chance.sample(range(1000), 50)
        likely, rest = set(positives[:40]), [n for n in range(1000) if n not in positives[:40]]
        unscreened = chance.sample(rest, 60)
        found = [(1.0, True) for _ in likely] + [(960 / 60, n in positives) for n in unscreened]
        share = weighted_share(found)
        assert share is not None
        inside += share.low <= 0.05 <= share.high
    assert inside / 200 >= 0.9


def test_a_mean_has_its_own_interval():
    mean = mean_of([1.0, 2.0, 3.0])
    assert mean is not None and mean.mean == 2 and round(mean.high - mean.mean, 3) == round(1.96 / 3**0.5, 3)
    assert mean.times(10).mean == 20 and mean.times(10).high == pytest.approx(10 * mean.high)


def test_one_value_alone_says_little():
    mean = mean_of([3.0])
    assert mean is not None and (mean.low, mean.high) == (0.0, 6.0) and mean_of([]) is None


def test_a_correlation_leaves_out_what_is_not_known():
    assert correlation([1, 2, None, 4], [2, 4, 100, 8]) == pytest.approx(1.0)


@pytest.mark.parametrize(("left", "right"), [([1, 2], [2, 1]), ([3, 3, 3], [1, 2, 3]), ([None] * 4, [1, 2, 3, 4])])
def test_a_correlation_of_too_little_is_unknown(left, right):
    assert correlation(left, right) is None
