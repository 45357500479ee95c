"""Scores that came with the articles are kept under their own oracle's name."""

from typing import Any

import pytest

from distillery_site.common.errors import BadInput
from labeling import services
from labeling.models import Article, FilterVersion, Oracle, OracleLabel
from tests.labeling import world


@pytest.fixture
def oracle(db: None) -> Oracle:
    return services.get_oracle(provider="external", model="GPT of 2024")


def bring(version: FilterVersion, oracle: Oracle, *rows: dict[str, Any]) -> services.ImportReport:
    world.articles(2)
    return services.import_external_labels(version=version, oracle=oracle, source="desk", rows=rows)


def test_it_keeps_scores_and_reasoning(version: FilterVersion, oracle: Oracle):
    report = bring(version, oracle, {"id": "0", "scores": {"bad": 1, "good": None}, "reasoning": "Dull."}, {"id": "1"})
    label = OracleLabel.objects.get()
    assert (report.created, label.scores, label.reasoning, label.run) == (1, [None, 1.0], "Dull.", None)
    assert label.text_sha256 == Article.objects.get(external_id="0").text_sha256


def test_importing_again_changes_nothing(version: FilterVersion, oracle: Oracle):
    row = {"id": "0", "scores": {"good": 1, "bad": 2}}
    bring(version, oracle, row)
    assert bring(version, oracle, row, row).unchanged == 2
    assert OracleLabel.objects.count() == 1


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"id": "0", "scores": {"good": 1}}, "bad scores"),
        ({"id": "0", "scores": {"good": 1, "bad": 12}}, "bad scores"),
        ({"id": "0", "scores": "high"}, "bad scores"),
        ({"id": "unheard of", "scores": {"good": 1, "bad": 2}}, "unknown article"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(version: FilterVersion, oracle: Oracle, row: dict[str, Any], reason: str):
    report = bring(version, oracle, {**row, "line": 4}, {"id": "1", "scores": {"good": 1, "bad": 2}})
    assert (report.created, report.rejected) == (1, {reason: 1})
    assert report.examples[0].startswith("Line 4:")


def test_a_second_opinion_needs_a_second_reading(version: FilterVersion, oracle: Oracle):
    bring(version, oracle, {"id": "0", "scores": {"good": 1, "bad": 2}})
    assert bring(version, oracle, {"id": "0", "scores": {"good": 3, "bad": 2}}).rejected == {"labelled otherwise": 1}
    rows = [{"id": "0", "scores": {"good": 3, "bad": 2}}]
    services.import_external_labels(version=version, oracle=oracle, source="desk", rows=rows, reading=2)
    ((_, first, second),) = services.repeat_pairs(version, oracle)
    assert (first, second) == ([1.0, 2.0], [3.0, 2.0])


def test_an_external_oracle_cannot_be_asked(version: FilterVersion, oracle: Oracle):
    with pytest.raises(BadInput, match="was asked elsewhere"):
        services.start_labeling(version=version, oracle=oracle, articles=world.keys(world.articles(1)))


def test_an_external_oracle_needs_a_name(db: None):
    with pytest.raises(BadInput, match="Name the oracle"):
        services.get_oracle(provider="external", model=" ")
