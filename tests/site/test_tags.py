"""How numbers, times and states look on every page."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from distillery_site.templatetags import distillery as tags

THIN = "\u202f"


@pytest.mark.parametrize(
    ("value", "shown"), [(0.3178, "0.32"), (-1.5, "−1.50"), (1234.5, "1,234.50"), (None, "–"), (float("nan"), "–")]
)
def test_it_shows_numbers_with_fixed_decimals(value: float | None, shown: str):
    assert tags.fixed(value) == shown


def test_it_shows_signs_counts_and_shares():
    assert (tags.signed(0.25), tags.signed(-0.25)) == ("+0.25", "−0.25")
    assert (tags.count(3824), tags.count(None)) == ("3,824", "–")
    assert tags.share(0.434) == f"43{THIN}%"


def test_an_attribute_of_nothing_is_nothing():
    assert {tags.fixed(""), tags.signed(""), tags.count(""), tags.share(""), tags.share_span("", "")} == {"–"}


@pytest.mark.parametrize(
    ("value", "shown"), [(Decimal(0), "$0.00"), (Decimal("0.0131"), "$0.0131"), (Decimal("12.5"), "$12.50"), (None, "–")]
)
def test_it_shows_small_sums_exactly(value: Decimal | None, shown: str):
    assert tags.usd(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(3.28, "3.3 s"), (47, "47 s"), (60, "1 min"), (192, "3 min 12 s"), (7500, "2 h 5 min"), (273_600, "3 d 4 h"), (None, "–")],
)
def test_it_shows_durations_in_two_units_at_most(seconds: float | None, shown: str):
    assert tags.duration(seconds).replace(THIN, " ") == shown


@pytest.mark.parametrize(
    ("back", "shown"), [(2, "just now"), (40, "40 s ago"), (200, "3 min ago"), (90_000, "1 day ago"), (-3700, "in 1 h")]
)
def test_it_says_how_long_ago_with_the_exact_time_on_hover(back: float, shown: str):
    html = tags.ago(timezone.now() - timedelta(seconds=back + 0.5))
    assert f">{shown}</time>" in html.replace(THIN, " ")


def test_the_exact_time_is_on_hover():
    html = tags.ago(datetime(2026, 11, 24, 7, 30, tzinfo=UTC))
    assert 'title="24 November 2026, 07:30:00 UTC"' in html


def test_a_link_out_of_a_file_is_only_followed_to_the_web():
    assert tags.weblink("https://example.org/a") == "https://example.org/a"
    assert tags.weblink("javascript:alert(1)") == ""


def test_bars_name_their_scores_and_hatch_what_has_none():
    html = tags.minibars([5.0, None], ["Impact", "Evidence"])
    assert 'aria-label="Impact 5.0, Evidence –"' in html
    assert 'style="height:50%"' in html and 'class="none"' in html


def test_a_histogram_keeps_a_lonely_score_visible():
    html = tags.hist([1000, 1] + [0] * 9, "Impact")
    assert 'aria-label="Impact: 1,000 at 0, 1 at 1"' in html
    assert "height:3%" in html


@pytest.mark.parametrize(("done", "shown"), [(100, "10.0 /s"), (2, "12.0 /min"), (0, "–")])
def test_it_shows_the_rate_of_a_run(done: int, shown: str):
    run: Any = SimpleNamespace(seconds=10.0, progress_done=done)
    assert tags.rate(run).replace(THIN, " ") == shown


def test_names_from_outside_are_escaped():
    assert "<script>" not in tags.minibars([1.0], ["<script>"]) + tags.badge("<script>") + tags.hist([1], "<script>")
