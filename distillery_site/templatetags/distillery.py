"""How numbers, times, states and terms look on every page: {% load distillery %}."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from distillery_site import permissions
from distillery_site.glossary import explain

register = template.Library()

NOTHING = "–"
THIN = "\u202f"  # between a number and its unit


def _missing(value: Any) -> bool:
    """None and NaN, and the empty text that a template makes of an attribute of None."""
    return value is None or value == "" or value != value


@register.filter
def fixed(value: float | None, decimals: int = 2) -> str:
    """0.3178 → 0.32, with a true minus sign; nothing → –."""
    return NOTHING if _missing(value) else f"{value:,.{decimals}f}".replace("-", "−")


@register.filter
def signed(value: float | None, decimals: int = 2) -> str:
    return NOTHING if _missing(value) else f"{value:+,.{decimals}f}".replace("-", "−")


@register.filter
def count(value: int | None) -> str:
    """3824 → 3,824."""
    return NOTHING if _missing(value) else f"{value:,}"


@register.filter
def share(value: float | None, decimals: int = 0) -> str:
    """0.43 → 43 %."""
    return NOTHING if _missing(value) else f"{100 * value:.{decimals}f}{THIN}%".replace("-", "−")


@register.simple_tag
def share_span(low: float | None, high: float | None, decimals: int = 0) -> str:
    """0.02 and 0.11 → 2–11 %."""
    return NOTHING if _missing(low) or _missing(high) else f"{100 * low:.{decimals}f}–{100 * high:.{decimals}f}{THIN}%"


@register.filter
def usd(value: Decimal | float | None) -> str:
    """Cents for sums one can feel, four decimals below a dollar."""
    if value is None:
        return NOTHING
    return f"${value:,.2f}" if not value or value >= 1 else f"${value:.4f}"


@register.filter
def duration(seconds: float | None) -> str:
    """Two units at most: 47 s, 3 min 12 s, 2 h 5 min, 3 d 4 h."""
    if seconds is None:
        return NOTHING
    if seconds < 10:
        return f"{seconds:.1f}{THIN}s"
    whole = round(seconds)
    for size, unit, below, below_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            first, rest = divmod(whole, size)
            second = f" {rest // below}{THIN}{below_unit}" if rest // below else ""
            return f"{first}{THIN}{unit}{second}"
    return f"{whole}{THIN}s"


def _instant(moment: datetime | date) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time(), UTC)


@register.filter
def ago(moment: datetime | None) -> str | SafeString:
    """“3 min ago”, with the exact time on hover."""
    if moment is None:
        return NOTHING
    seconds = (timezone.now() - _instant(moment)).total_seconds()
    near = "just now" if -5 < seconds < 5 else f"{_coarse(seconds)} ago" if seconds > 0 else f"in {_coarse(-seconds)}"
    exact = timezone.localtime(_instant(moment))
    said = exact.strftime("%-d %B %Y, %H:%M:%S %Z")
    return format_html('<time datetime="{}" title="{}">{}</time>', exact.isoformat(), said, near)


def _coarse(seconds: float) -> str:
    for size, unit in ((31_557_600, "year"), (2_629_800, "month"), (86400, "day"), (3600, "h"), (60, "min")):
        if seconds >= size:
            number = int(seconds // size)
            return f"{number}{THIN}{unit}" if unit in ("h", "min") else f"{number} {unit}{'s' if number > 1 else ''}"
    return f"{int(seconds)}{THIN}s"


@register.simple_tag
def term(key: str, words: str = "") -> SafeString:
    """The glossary's word with its sentence as tooltip: {% term "mae" "misses the oracle by" %}."""
    name, sentence = explain(key)
    return format_html(
        '<a class="term" href="{}#{}" data-tip="{}" aria-description="{}">{}</a>',
        reverse("glossary"),
        key,
        sentence,
        sentence,
        words or name,
    )


@register.simple_tag
def badge(state: str, words: str = "") -> SafeString:
    return format_html('<span class="badge" data-state="{}">{}</span>', state, words or state)


@register.simple_tag
def bar(value: float | None, top: float = 10, kind: str = "") -> SafeString:
    """A value as the share of `top`, for readers who also see the number beside it."""
    width = 0 if not value else max(0.0, min(100.0, 100 * value / top))
    return format_html('<span class="bar {}" aria-hidden="true"><i style="width:{}%"></i></span>', kind, f"{width:.1f}")


@register.simple_tag
def progress(run: Any) -> SafeString:
    percent = round(100 * run.progress_share)
    return format_html(
        '<span class="progress" data-state="{}" role="progressbar" aria-label="progress" aria-valuemin="0" aria-valuemax="100"'
        ' aria-valuenow="{}"><i style="width:{}%"></i></span>',
        run.state,
        percent,
        percent,
    )


@register.simple_tag
def minibars(scores: list[float | None], names: list[str]) -> SafeString:
    """A row's scores as small upright bars, 20 px for 10 points; the text alternative names them."""
    said = ", ".join(f"{name} {fixed(score, 1)}" for name, score in zip(names, scores, strict=False))
    bars = format_html_join("", "{}", ((_minibar(score),) for score in scores))
    return format_html('<span class="minibars" role="img" aria-label="{}" title="{}">{}</span>', said, said, bars)


def _minibar(score: float | None) -> SafeString:
    if score is None:
        return SafeString('<i class="none"></i>')
    return format_html('<i style="height:{}%"></i>', round(10 * score))


@register.simple_tag(takes_context=True)
def may(context: template.Context, route: str, method: str = "POST") -> bool:
    """Whether the person looking may do this: {% may "labeling_run_cancel" as cancel %}."""
    return permissions.allowed(context["user"], route, method)


@register.filter
def plural(number: int, words: str) -> str:
    """{{ n|plural:"article,articles" }} → 3,824 articles."""
    one, many = words.split(",")
    return f"{number:,} {one if number == 1 else many}"


@register.filter
def weblink(url: str) -> str:
    """The address if it is one of the web; a `javascript:` out of a file never becomes a link."""
    return url if url.startswith(("https://", "http://")) else ""


@register.simple_tag
def hist(counts: Sequence[int], label: str) -> SafeString:
    """How many scores lie at 0, 1, … 10, as upright bars; a bar with anything in it stays visible."""
    most, total = max([*counts, 1]), sum(counts)
    said = f"{label}: " + (", ".join(f"{n:,} at {place}" for place, n in enumerate(counts) if n) or "none")
    bars = format_html_join("", '<i style="height:{}%"></i>', ((_height(n / most),) for n in counts))
    return format_html('<span class="hist" role="img" aria-label="{}" title="{} in all">{}</span>', said, f"{total:,}", bars)


def _height(share: float) -> int:
    return max(3, round(100 * share)) if share else 0


@register.filter
def rate(run: Any) -> str:
    """Pieces a second or a minute since the run began: 12.3/s, 40/min."""
    seconds = run.seconds
    if not seconds or not run.progress_done:
        return NOTHING
    a_second = run.progress_done / seconds
    return f"{a_second:,.1f}{THIN}/s" if a_second >= 1 else f"{60 * a_second:,.1f}{THIN}/min"


@register.filter
def is_active(run: Any) -> bool:
    """Whether something may change without a person: then a page asks again every two seconds."""
    return run.state in ("queued", "running")
