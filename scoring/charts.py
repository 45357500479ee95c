"""The distance to the oracle, and what a student gets wrong: figures in, SVG out.

One track is one dimension: 0 (says what the oracle says) at the left, the best constant's error at the right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from django.utils.safestring import SafeString

from distillery_site.common.svg import at, el, finite, line, num, pattern_id, percent, picture
from training.student.metrics import Band

if TYPE_CHECKING:
    from scoring.figures import Track

FEW = 10
DIAMOND = "M0-6 6 0 0 6-6 0z"
SMALL_DIAMOND = "M0-4.5 4.5 0 0 4.5-4.5 0z"


def track_svg(track: Track, *, large: bool = False) -> SafeString:
    """The track, small for lists or large with its numbers; what is unknown is left out, what lies beyond points there."""
    middle, reach = (22.0, 8.0) if large else (9.0, 6.0)
    drawn = [line(0, middle, 1, middle, "track-rail"), *(line(end, middle - 4, end, middle + 4, "track-end") for end in (0, 1))]
    if finite(track.constant):
        drawn += [
            *_band(track, middle, reach),
            *_travelled(track, middle),
            *_ridge(track, middle, reach),
            *_diamond(track, track.challenger, middle, "challenger", large),
            *_whisker(track, middle),
            *_diamond(track, track.mae, middle, "champion", large),
        ]
    marks = el("g", *drawn, class_="track-pale" if track.few else None)
    if large:
        return picture(marks, *_numbers(track), title=track.sentence, class_="track track-large", height=44)
    return picture(marks, title=track.sentence, class_="track track-small", height=18)


def _share(track: Track, error: float) -> float:
    """Where an error lies between 0 and the constant's; above 1 it is worse than the constant."""
    return max(0.0, error / track.constant)


def _inside(track: Track, error: float) -> float:
    return min(1.0, _share(track, error))


def _band(track: Track, middle: float, reach: float) -> list[SafeString]:
    """Hatched from half the repeat error to all of it; the dotted edges are its interval."""
    repeat, low, high = finite(track.repeat), finite(track.repeat_low), finite(track.repeat_high)
    if repeat is None:
        return []
    edges = [_inside(track, edge) for edge in (low / 2 if low is not None else None, high) if edge is not None]
    left, right = _inside(track, repeat / 2), _inside(track, repeat)
    sides = [line(edge, middle - reach, edge, middle + reach, "track-band-edge") for edge in edges]
    return [*sides, *_hatched(pattern_id(track, reach), left, right - left, middle, reach)]


def _hatched(name: str, x: float, width: float, middle: float, reach: float) -> list[SafeString]:
    stripes = el(
        "pattern",
        el("path", d="M-1 1l2-2M0 5l5-5M4 6l2-2", class_="track-hatch"),
        id=name,
        width=5,
        height=5,
        patternUnits="userSpaceOnUse",
    )
    box: dict[str, str | float] = {"x": percent(x), "width": percent(width), "y": middle - reach, "height": 2 * reach}
    return [el("defs", stripes), el("rect", class_="track-band", **box), el("rect", fill=f"url(#{name})", **box)]


def _travelled(track: Track, middle: float) -> list[SafeString]:
    """The way from "knows nothing" to the student: its length is the skill."""
    mae = finite(track.mae)
    return [] if mae is None or mae >= track.constant else [line(_share(track, mae), middle, 1, middle, "track-travelled")]


def _ridge(track: Track, middle: float, reach: float) -> list[SafeString]:
    ridge = finite(track.ridge)
    if ridge is None:
        return []
    x = _inside(track, ridge)
    return [line(x, middle - reach, x, middle + reach, "track-ridge"), *_arrow(track, ridge, middle)]


def _diamond(track: Track, mae: float | None, middle: float, role: str, large: bool) -> list[SafeString]:
    mae = finite(mae)
    if mae is None:
        return []
    shape = el("path", d=DIAMOND if large else SMALL_DIAMOND, class_=f"track-{role}")
    return [at(_inside(track, mae), middle, shape), *_arrow(track, mae, middle)]


def _whisker(track: Track, middle: float) -> list[SafeString]:
    low, high = finite(track.low), finite(track.high)
    if low is None or high is None:
        return []
    ends = [_inside(track, end) for end in (low, high)]
    caps = [line(end, middle - 4, end, middle + 4, "track-whisker") for end in ends]
    return [line(ends[0], middle, ends[1], middle, "track-whisker"), *caps]


def _arrow(track: Track, error: float, middle: float) -> list[SafeString]:
    """A mark that lies beyond the constant stays at the edge and points outwards."""
    return [at(1, middle, el("path", d="M9-4l4 4-4 4", class_="track-beyond"))] if _share(track, error) > 1 else []


def _numbers(track: Track) -> list[SafeString]:
    constant, mae = finite(track.constant), finite(track.mae)
    words = [el("text", "0", x="0", y=42, class_="track-number")]
    if constant is not None:
        words.append(el("text", f"constant {constant:.2f}", x="100%", y=42, class_="track-number", text_anchor="end"))
    remark = "every label is the same" if constant == 0 else "too few to judge" if track.few else ""
    if remark:
        words.append(el("text", remark, x="50%", y=42, class_="track-number", text_anchor="middle"))
    if constant and mae is not None:
        x = _inside(track, mae)
        side = "start" if x < 0.04 else "end" if x > 0.96 else "middle"
        words.append(el("text", f"{mae:.2f}", x=percent(x), y=10, class_="track-value", text_anchor=side))
    return words


def key_svg(mark: str) -> SafeString:
    """One sign of the track for its legend: band, ridge, champion, challenger or travelled."""
    whisker = line(0.1, 8, 0.9, 8, "track-whisker")
    signs = {
        "band": _hatched("track-key", 0, 1, 8, 6),
        "ridge": [line(0.5, 1, 0.5, 15, "track-ridge")],
        "champion": [whisker, at(0.5, 8, el("path", d=DIAMOND, class_="track-champion"))],
        "challenger": [at(0.5, 8, el("path", d=DIAMOND, class_="track-challenger"))],
        "travelled": [line(0, 8, 1, 8, "track-travelled")],
    }
    return el("svg", *signs[mark], class_="chart track-key", aria_hidden="true")


def score_svg(score: float, low: float | None, high: float | None, *, top: float = 10.0) -> SafeString:
    """One score as a bar from 0 to `top`, with a whisker from `low` to `high`, where the oracle's own score may lie."""
    end, ends = _on_scale(score, top), (finite(low), finite(high))
    widths = ((1.0, "score-rail"), (end, "score-bar"))
    bar = [el("rect", x="0", y=4, width=percent(width), height=8, class_=class_) for width, class_ in widths]
    if None in ends:
        return el("svg", *bar, class_="chart score", aria_hidden="true")
    left, right = (_on_scale(place, top) for place in ends)
    caps = [line(place, 4, place, 12, "track-whisker") for place in (left, right)]
    return el("svg", *bar, line(left, 8, right, 8, "track-whisker"), *caps, class_="chart score", aria_hidden="true")


def _on_scale(score: float, top: float) -> float:
    return min(1.0, max(0.0, score / top))


def scatter_svg(label: str, pairs: Iterable[tuple[float, float]], *, top: float = 10.0) -> SafeString:
    """Predicted (up) against the oracle's score (right): equal pairs become one bubble whose area is their number."""
    known = [pair for pair in pairs if all(finite(value) is not None for value in pair)]
    found = Counter((round(2 * true) / 2, round(2 * said) / 2) for true, said in known)
    most = max(found.values(), default=1)

    def place(value: float) -> float:
        return 12 + 84 * min(1.0, max(0.0, value / top))

    bubbles = [
        el("circle", cx=place(true), cy=100 - place(said), r=0.9 + 4.6 * (count / most) ** 0.5, class_="scatter-bubble")
        for (true, said), count in sorted(found.items())
    ]
    frame = [el("path", d="M6 4V94H96", class_="chart-axis"), el("path", d="M12 88L96 4", class_="chart-ideal")]
    ticks = [
        tick
        for value in (0, top / 2, top)
        for tick in (
            el("text", num(value), x=place(value), y=103, text_anchor="middle"),
            el("text", num(value), x=3, y=103 - place(value), text_anchor="end"),
        )
    ]
    title = f"{label}: predicted against the oracle's score, {len(known):,} articles"
    return picture(*frame, *bubbles, *ticks, title=title, class_="scatter", height=110, view_box="-8 0 108 106")


def bands_svg(label: str, bands: Sequence[Band], *, top: float) -> SafeString:
    """A bar a score band: the error where it is known, its n below; `top` is the axis' end, shared by the multiples."""
    drawn = [line(0, 70, 1, 70, "chart-axis")]
    for place, band in enumerate(bands):
        drawn += _band_bar(band, place / len(bands), 1 / len(bands), top)
    said = "; ".join(f"{_name(band)}: {_or_none(band.mae)}, n = {band.n:,}" for band in bands)
    return picture(*drawn, title=f"{label}, MAE by the oracle's score. {said}", class_="bands", height=100)


def _band_bar(band: Band, left: float, width: float, top: float) -> list[SafeString]:
    middle, mae = percent(left + width / 2), finite(band.mae)
    words = [el("text", text, x=middle, y=y, text_anchor="middle") for text, y in ((_name(band), 83), (f"{band.n:,}", 96))]
    if mae is None or not band.n:
        return words
    height = 54 * min(1.0, mae / top) if top else 0.0
    shade = "bar-mark bar-few" if band.n < FEW else "bar-mark"
    box = el("rect", x=percent(left + 0.2 * width), y=70 - height, width=percent(0.6 * width), height=height, class_=shade)
    return [box, el("text", f"{mae:.1f}", x=middle, y=66 - height, text_anchor="middle"), *words]


def _name(band: Band) -> str:
    """Bands include their lower edge: <1, 1–3, … 7–10."""
    return f"{num(band.low)}–{num(band.high)}" if band.low else f"<{num(band.high)}"


def _or_none(mae: float | None) -> str:
    return "none" if finite(mae) is None else f"{mae:.2f}"
