"""How a run learns and what its labels look like: figures in, SVG out."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from distillery_site.common.svg import axis, ceiling, curve, el, finite, line, percent, picture

BINS = 11  # scores 0 … 10, rounded


@dataclass(frozen=True)
class EpochPoint:
    """The errors after one epoch."""

    number: int
    val_mae: float
    train_mae: float | None = None
    chosen: bool = False


def loss_svg(points: Sequence[tuple[float, float]], *, steps: int) -> SafeString:
    """Training loss by step; a running run's line ends where it is now."""
    known = [(step, loss) for step, loss in points if finite(loss) is not None]
    last = max([steps, *(step for step, _ in known), 1])
    top = ceiling([loss for _, loss in known])
    drawn = [*_grid(top), *_edge_words("step 0", f"{last:,.0f}")]
    if known:
        drawn.append(_plot(curve([(step / last, 1 - loss / top) for step, loss in known], "curve-loss")))
    said = f"loss {known[-1][1]:.3f} at step {known[-1][0]:,.0f} of {last:,.0f}" if known else "no step yet"
    return picture(*drawn, title=f"Training loss: {said}", class_="plot", height=160)


def epochs_svg(epochs: Sequence[EpochPoint], *, epochs_planned: int = 0) -> SafeString:
    """Validation MAE (points) and training MAE (thin line) after every epoch, the chosen epoch ringed."""
    last = max([epochs_planned, *(e.number for e in epochs), 1])
    train = [(e.number, e.train_mae) for e in epochs if e.train_mae is not None and finite(e.train_mae) is not None]
    val = [(e.number, e.val_mae) for e in epochs if finite(e.val_mae) is not None]
    low, top = axis(mae for _, mae in (*train, *val))

    def height(mae: float) -> float:
        return (top - mae) / (top - low)

    drawn = [*_grid(top, low), *_edge_words("", f"epoch {last}")]
    for points, class_ in ((train, "curve-train"), (val, "curve-val")):
        if len(points) > 1:
            drawn.append(_plot(curve([(number / last, height(mae)) for number, mae in points], class_)))
    dots = [dot for e in epochs if finite(e.val_mae) is not None for dot in _dot(e, e.number / last, height(e.val_mae))]
    return picture(*drawn, _plot(*dots), title=_epochs_sentence(epochs), class_="plot", height=160)


def _dot(epoch: EpochPoint, x: float, y: float) -> list[SafeString]:
    centre = {"cx": percent(x), "cy": percent(y)}
    ring = [el("circle", r=8, class_="epoch-chosen", **centre)] if epoch.chosen else []
    return [el("circle", r=4, class_="epoch-val", **centre), *ring]


def _epochs_sentence(epochs: Sequence[EpochPoint]) -> str:
    if not epochs:
        return "Validation MAE by epoch: no epoch yet"
    said = ", ".join(f"{e.number}: {e.val_mae:.3f}{' (chosen)' if e.chosen else ''}" for e in epochs)
    return f"Validation MAE by epoch: {said}"


def _plot(*children: str) -> SafeString:
    """The plot's area: below room for the top label, above room for the words of the x axis."""
    return el("svg", *children, y=14, height=124, width="100%", overflow="visible")


def _grid(top: float, low: float = 0.0) -> list[SafeString]:
    """Three lines with their values; only a true zero is drawn as the axis."""
    drawn = []
    for share in (0.0, 0.5, 1.0):
        y, value = 14 + 124 * (1 - share), low + (top - low) * share
        drawn.append(line(0, y, 1, y, "chart-axis" if value == 0 else "chart-grid"))
        if value:
            drawn.append(el("text", f"{value:.4g}", x="0", y=y - 3))
    return drawn


def _edge_words(left: str, right: str) -> list[SafeString]:
    return [el("text", left, x="0", y=153), el("text", right, x="100%", y=153, text_anchor="end")]


def histogram(scores: Sequence[float | None]) -> list[int]:
    """How many scores round to 0, 1, … 10; null and NaN are in none."""
    counts = [0] * BINS
    for score in scores:
        if score is not None and finite(score) is not None:
            counts[min(BINS - 1, max(0, int(score + 0.5)))] += 1
    return counts


def spark_svg(label: str, counts: Sequence[int]) -> SafeString:
    """The distribution of labels as eleven bars from 0 to 10; a bin with anything in it stays visible."""
    most = max([*counts, 1])
    bars = [_spark_bar(place / len(counts), 1 / len(counts), count / most) for place, count in enumerate(counts) if count]
    return picture(line(0, 26, 1, 26, "chart-axis"), *bars, title=f"{label}: {_spread(counts)}", class_="spark", height=27)


def _spark_bar(left: float, width: float, share: float) -> SafeString:
    height = max(1.0, 24 * share)
    x, wide = percent(left + 0.08 * width), percent(0.84 * width)
    return el("rect", x=x, y=26 - height, width=wide, height=height, class_="spark-bar")


def _spread(counts: Sequence[int]) -> str:
    total = sum(counts)
    if not total:
        return "no label"
    return f"{100 * counts[0] / total:.0f} % are 0, {sum(counts[5:]):,} of {total:,} at 5 or more"
