"""A training in words and three pictures, for a reader who has only the student's folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .data import Corpus
from .history import History
from .metrics import skill

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OURS, _CONSTANT = "#2f6f8f", "#b9b4a8"


def write(directory: Path, about: Mapping[str, Any], corpus: Corpus, history: History) -> None:
    """TRAINING_REPORT.md, overall_metrics.png, per_dimension_mae.png and loss_curves.png."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "TRAINING_REPORT.md").write_text(_report(about, corpus, history), encoding="utf-8")
    figures = about["metrics"]
    filters = list(figures["val_mae_by_filter"])
    ours = [figures["val_mae_by_filter"][slug] for slug in filters]
    constant = [figures["val_constant_mae_by_filter"][slug] for slug in filters]
    _bars(directory / "overall_metrics.png", filters, ours, constant)
    names = [f"{output.filter} · {output.dimension}" for output in corpus.outputs]
    _bars(directory / "per_dimension_mae.png", names, figures["val_mae_by_output"], figures["val_constant_mae_by_output"])
    _curves(directory / "loss_curves.png", history)


def _report(about: Mapping[str, Any], corpus: Corpus, history: History) -> str:
    parts = [_summary(about), _dimensions(about, corpus), _epochs(history), _settings(about)]
    return "\n\n".join(parts) + "\n"


def _summary(about: Mapping[str, Any]) -> str:
    figures, data = about["metrics"], about["dataset"]
    base = about.get("base") or {}
    lines = [
        f"# A {about['kind']} student of “{data['name']}”",
        f"Trained on {data['train']} articles and chosen on {data['val']} validation articles in {about['seconds']:.0f} s. "
        f"Validation MAE **{figures['val_mae']:.3f}** where the best constant has {figures['val_constant_mae']:.3f} "
        f"(skill {skill(figures['val_mae'], figures['val_constant_mae']):.0%}). These figures chose the student, so they "
        "flatter it; the benchmark on the untouched test split is the one to quote.",
        f"- Predictions read back from disk differ by at most {figures['reload_max_diff']:.1e} points from those before "
        f"saving, and alone instead of in a batch by {figures['batch_max_diff']:.1e}.",
        f"- {figures['val_clipped_share']:.1%} of raw validation predictions lay outside 0–10 and were clipped.",
        f"- Data set fingerprint `{data['fingerprint']}`; code version `{about['code_version']}`.",
    ]
    if base:
        lines.append(
            f"- Base model {base['name']} ({base['source']}, revision {base['revision']}), weights `{base['sha256'][:16]}…`."
        )
    if "parameters" in about:
        trainable, total = about["parameters"]["trainable"], about["parameters"]["total"]
        lines.append(f"- {trainable:,} of {total:,} parameters were trained ({trainable / total:.2%}).")
    if "truncation" in about:
        cut = about["truncation"]
        lines.append(f"- {cut['share']:.1%} of the articles lost text to the limit of {cut['max_tokens']} tokens.")
    return "\n".join([lines[0], "", lines[1], "", *lines[2:]])


def _dimensions(about: Mapping[str, Any], corpus: Corpus) -> str:
    figures, rows = about["metrics"], []
    for place, output in enumerate(corpus.outputs):
        ours, constant = figures["val_mae_by_output"][place], figures["val_constant_mae_by_output"][place]
        shown = (f"{ours:.3f}", f"{constant:.3f}", f"{skill(ours, constant):.0%}")
        rows.append((output.filter, output.dimension, *shown, *_served(about, place)))
    head = ("filter", "dimension", "MAE", "constant", "skill", "calibration", f"{about['intervals']['level']:.0%} interval")
    return "## Validation error by dimension\n\n" + _table(head, rows)


def _served(about: Mapping[str, Any], place: int) -> tuple[str, str]:
    """An output's calibration, and by how much its interval reaches to both sides, from the lowest scores to the highest."""
    halves = about["intervals"]["outputs"][place]["half_width"]
    return about["calibration"]["outputs"][place]["kind"], "± " + ", ".join(f"{half:.1f}" for half in halves)


def _epochs(history: History) -> str:
    rows = [
        (f"{epoch.number}{' (chosen)' if epoch == history.best else ''}", f"{epoch.train_mae:.3f}", f"{epoch.val_mae:.3f}",
         f"{epoch.seconds:.0f} s")
        for epoch in history.epochs
    ]  # fmt: skip
    return "## Epochs\n\n" + _table(("epoch", "training MAE", "validation MAE", "took"), rows)


def _settings(about: Mapping[str, Any]) -> str:
    options = [(f"`{name}`", f"`{value}`") for name, value in about["config"].items()]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return "## Settings\n\n" + _table(("option", "value"), options) + f"\n\nMade with {versions}."


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _axes(width: float, height: float) -> "Axes":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _save(axes: "Axes", path: Path) -> None:
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _bars(path: Path, names: Sequence[str], ours: Sequence[float], constant: Sequence[float]) -> None:
    axes = _axes(7.5, 1.2 + 0.42 * len(names))
    places = range(len(names))
    axes.barh([i + 0.2 for i in places], constant, height=0.36, color=_CONSTANT, label="best constant")
    axes.barh([i - 0.2 for i in places], ours, height=0.36, color=_OURS, label="student")
    axes.set_yticks(list(places), list(names))
    axes.invert_yaxis()
    axes.set_xlabel("validation MAE (points of 10; smaller is better)")
    axes.legend(frameon=False)
    _save(axes, path)


def _curves(path: Path, history: History) -> None:
    axes = _axes(7.5, 4.0)
    numbers = [epoch.number for epoch in history.epochs]
    axes.plot(numbers, [epoch.train_mae for epoch in history.epochs], "o-", color=_CONSTANT, label="training MAE")
    axes.plot(numbers, [epoch.val_mae for epoch in history.epochs], "o-", color=_OURS, label="validation MAE")
    axes.set_xticks(numbers)
    axes.set_xlabel("epoch")
    axes.set_ylabel("MAE (points of 10)")
    if history.loss:
        beside = axes.twinx()
        last = max(step for step, _ in history.loss)
        steps = [step / last * max(numbers) for step, _ in history.loss]
        beside.plot(steps, [loss for _, loss in history.loss], color="#d99b4e", linewidth=0.8, alpha=0.7)
        beside.set_ylabel("training loss", color="#d99b4e")
    axes.legend(frameon=False)
    _save(axes, path)
