"""The same rubric is the same version; a changed one is a new version; a changed policy a new number."""

import pytest
from django.db import DatabaseError, transaction

from labeling import services
from labeling.models import FilterVersion, OracleLabel
from tests.labeling import world


def test_it_stores_a_filter_once(version: FilterVersion):
    again = world.version()
    assert again == version and version.number == 1 and version.policies.count() == 1
    assert version.rubric_hash == FilterVersion.hash_of(version.dimensions, version.prompt, version.view)


def test_another_prompt_is_another_version(version: FilterVersion):
    assert world.version(prompt="How good, really?").number == 2


def test_other_tiers_are_another_policy_of_the_same_version(version: FilterVersion):
    again = world.version(tiers=[{"name": "maybe", "min": 0}])
    assert again == version
    assert [policy.number for policy in version.policies.order_by("number")] == [1, 2]
    assert world.version(tiers=[{"name": "maybe", "min": 0}]).policies.count() == 2


def test_a_labelled_rubric_can_no_longer_change(version: FilterVersion):
    (article,) = world.articles(1)
    oracle = services.get_oracle(provider="external", model="someone")
    row = {"id": article.external_id, "scores": {"good": 1, "bad": 2}}
    services.import_external_labels(version=version, oracle=oracle, source="desk", rows=[row])
    assert OracleLabel.objects.count() == 1
    with pytest.raises(DatabaseError, match="can no longer change"), transaction.atomic():
        FilterVersion.objects.filter(pk=version.pk).update(prompt="Something else")


def test_an_oracle_is_its_provider_model_and_parameters(db: None):
    first = services.get_oracle(provider="anthropic")
    assert first == services.get_oracle(provider="anthropic", model="claude-haiku-5-5", params={"effort": "low"})
    assert first != services.get_oracle(provider="anthropic", params={"effort": "high"})
