"""What the demo found, as JSON and as a table: every error beside a constant, ridge and the oracle's own repeat error."""

import json
from typing import Any

from django.db.models import Count

from labeling.demo import articles as news
from labeling.models import Article, LabelingItem, OracleLabel, PrefilterVerdict
from scoring.models import Benchmark
from training.models import Dataset, Kind, Split


def collect(dataset: Dataset, *, seconds: dict[str, float], web_rss_mb: float) -> dict[str, Any]:
    """The demo's JSON; every `mae` is on the data set's test split."""
    reports = {kind: benchmark_of(dataset, kind, Split.TEST) for kind in Kind.values}
    validation = {kind: benchmark_of(dataset, kind, Split.VAL) for kind in Kind.values}
    return {
        "counts": counts(dataset),
        "drops": drops(dataset),
        "splits": dict(dataset.items.values_list("split").annotate(n=Count("pk")).order_by("split")),
        "clusters": dataset.clusters,
        "leakage": dataset.leakage,
        "fingerprint": dataset.fingerprint,
        "test_openings": dataset.benchmarks.filter(split=Split.TEST).count(),
        "mae": by_filter(reports),
        "mae_validation": by_filter(validation),
        "mae_by_dimension": by_dimension(reports),
        "reload_max_diff": max(row.model.manifest["metrics"]["reload_max_diff"] for row in reports.values()),
        "web_rss_mb": round(web_rss_mb, 1),
        "seconds": seconds,
    }


def benchmark_of(dataset: Dataset, kind: str, split: str) -> Benchmark:
    return Benchmark.objects.select_related("model").filter(dataset=dataset, split=split, model__kind=kind).latest("pk")


def counts(dataset: Dataset) -> dict[str, int]:
    versions = dataset.versions
    absent = LabelingItem.objects.filter(run__version__in=versions, state=LabelingItem.State.ABSENT)
    return {
        "rows": news.ROWS,
        "articles": Article.objects.filter(source=news.SOURCE).count(),
        "passed": PrefilterVerdict.objects.filter(policy=versions[0].policies.latest("number"), passed=True).count(),
        "labels": OracleLabel.objects.filter(version__in=versions).count(),
        "without_a_recording": absent.values("article").distinct().count(),
        "in_data_set": dataset.items.count(),
    }


def drops(dataset: Dataset) -> dict[str, int]:
    """Rows of the source that never reached the oracle, by reason; those without a text were refused at import."""
    policy = dataset.versions[0].policies.latest("number")
    rows = PrefilterVerdict.objects.filter(policy=policy, passed=False)
    by_reason = dict(rows.values_list("reason").annotate(n=Count("pk")).order_by("reason"))
    return {"without_text": news.WITHOUT_TEXT, **by_reason}


def by_filter(reports: dict[str, Benchmark]) -> dict[str, dict[str, float]]:
    any_report = reports[Kind.RIDGE].report["filters"]
    return {
        slug: {
            "constant": row["constant_mae"],
            **{kind: benchmark.report["filters"][slug]["mae"] for kind, benchmark in reports.items()},
            "repeat": row["repeat"]["mae"],
        }
        for slug, row in any_report.items()
    }


def by_dimension(reports: dict[str, Benchmark]) -> dict[str, dict[str, dict[str, float]]]:
    found: dict[str, dict[str, dict[str, float]]] = {}
    for position, output in enumerate(reports[Kind.RIDGE].report["outputs"]):
        found.setdefault(output["filter"], {})[output["dimension"]] = {
            "constant": output["constant_mae"],
            **{kind: benchmark.report["outputs"][position]["mae"] for kind, benchmark in reports.items()},
            "repeat": output["repeat"]["mae"],
            "n": output["n"],
            "n_ge_5": output["n_ge_5"],
        }
    return found


COLUMNS = ("constant", *Kind.values, "repeat")


def table(report: dict[str, Any]) -> str:
    """Plain text, one line a dimension, errors in points of the 0–10 scale."""
    lines = ["", f"Mean absolute error on the test split (n = {report['splits']['test']}), in points of 0–10:", ""]
    lines.append(f"{'':34}" + "".join(f"{name:>10}" for name in COLUMNS))
    for slug, row in report["mae"].items():
        lines.append(_line(slug, row))
        lines += [_line(f"  {key}", found) for key, found in report["mae_by_dimension"][slug].items()]
    lines += ["", "constant: the best single guess. repeat: the oracle against itself, asked twice.", ""]
    return "\n".join(lines)


def _line(name: str, row: dict[str, float]) -> str:
    return f"{name:34}" + "".join(f"{row[column]:10.3f}" for column in COLUMNS)


def curl_line(url: str, key: str) -> str:
    article = {"title": "Village gets clean water", "text": "A new well now serves 2,000 people."}
    body = {"filter": "uplifting", "articles": [article]}
    return (
        "Score an article of your own:\n\n"
        f"  curl -s {url}/api/v1/score -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\\n"
        f"    -d '{json.dumps(body)}'\n"
    )
