"""GET /api/v1/filters and /api/v1/models: what there is to score with."""

import pytest
from django.test import Client

from tests.scoring import world
from tests.training import world as newsroom


@pytest.fixture
def analyst(db):
    key = world.key(world.person("analyst", "viewer"))
    return Client(headers={"Authorization": f"Bearer {key}"})


def test_filters_come_with_their_dimensions_and_their_champion(analyst, champion):
    [found] = analyst.get("/api/v1/filters").json()["results"]
    assert (found["slug"], found["version"]) == ("uplifting", 1)
    assert [dimension["key"] for dimension in found["dimensions"]] == ["impact", "evidence"]
    assert found["champion"] == {"name": "news-ridge", "version": 1, "manifest_sha256": champion.manifest_sha256}


def test_a_filter_that_nobody_answers_for_says_so(analyst):
    newsroom.version("risk", ["severity"])
    newsroom.version("risk", ["severity", "reach"], number=2)
    [found] = analyst.get("/api/v1/filters").json()["results"]
    assert (found["version"], found["champion"]) == (2, None)


def test_models_come_with_their_outputs_and_aliases(analyst, champion):
    [found] = analyst.get("/api/v1/models").json()["results"]
    assert (found["name"], found["version"], found["kind"], found["dataset"]) == ("news-ridge", 1, "ridge", "news")
    assert found["outputs"][1] == {"filter": "uplifting", "version": 1, "dimension": "evidence"}
    assert found["aliases"] == [{"filter": "uplifting", "alias": "champion"}]


def test_lists_need_no_more_queries_for_more_rows(analyst, champion, dataset, root, django_assert_max_num_queries):
    for _ in range(5):
        world.model(dataset, root)
    with django_assert_max_num_queries(12):
        assert len(analyst.get("/api/v1/models").json()["results"]) == 6
