"""Weights, gatekeepers, caps and tiers: by example, then by property."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.policies import Applied, decide, weighted_average

POLICY = SimpleNamespace(
    weights={"impact": 0.5, "evidence": 0.3, "reach": 0.2},
    tiers=[{"name": "high", "min": 7.0}, {"name": "medium", "min": 4.0}, {"name": "low", "min": 0.0}],
    gatekeepers=[{"dimension": "evidence", "min": 3.0, "cap": 3.0, "reason": "Hopes are not results."}],
    caps=[{"pattern": r"\bsponsored\b", "cap": 2.0, "reason": "Advertising."}],
)
score = st.floats(-2, 12)
scores = st.fixed_dictionaries({"impact": score, "evidence": score, "reach": score})


def test_it_weighs_the_scores_and_names_the_tier():
    verdict = decide({"impact": 8, "evidence": 6, "reach": 10}, POLICY)
    assert verdict.average == pytest.approx(7.8)
    assert (verdict.capped_average, verdict.tier, verdict.applied) == (verdict.average, "high", [])


def test_a_gatekeeper_caps_the_average_and_keeps_what_it_was():
    verdict = decide({"impact": 10, "evidence": 2, "reach": 10}, POLICY)
    assert verdict.average == pytest.approx(7.6)
    assert (verdict.capped_average, verdict.tier) == (3.0, "low")
    assert verdict.applied == [Applied("gatekeeper", "evidence", 3.0, "Hopes are not results.")]


def test_a_cap_fires_on_text_whatever_its_case():
    verdict = decide({"impact": 8, "evidence": 8, "reach": 8}, POLICY, text="This is SPONSORED content.")
    assert (verdict.capped_average, verdict.tier) == (2.0, "low")


def test_a_missing_score_hands_its_weight_to_the_others():
    assert weighted_average({"impact": 6, "evidence": None, "reach": 6}, POLICY.weights) == pytest.approx(6)


def test_a_missing_score_fires_no_gatekeeper():
    assert decide({"impact": 8, "evidence": None, "reach": 8}, POLICY).applied == []


def test_no_score_at_all_has_no_average_and_no_tier():
    verdict = decide({"impact": None, "evidence": None, "reach": None}, POLICY)
    assert (verdict.average, verdict.capped_average, verdict.tier) == (None, None, None)


@given(scores)
def test_the_average_lies_between_the_clipped_scores(given_scores):
    clipped = [min(10, max(0, value)) for value in given_scores.values()]
    assert min(clipped) - 1e-9 <= decide(given_scores, POLICY).average <= max(clipped) + 1e-9


@given(scores)
def test_caps_never_raise_an_average(given_scores):
    verdict = decide(given_scores, POLICY, text="sponsored")
    assert verdict.capped_average <= min(verdict.average, 2.0)


@given(scores)
def test_the_tier_is_the_highest_whose_minimum_is_reached(given_scores):
    verdict = decide(given_scores, POLICY)
    reached = [tier["name"] for tier in POLICY.tiers if verdict.capped_average >= tier["min"]]
    assert verdict.tier == reached[0]


@given(scores, st.sampled_from(["impact", "evidence", "reach"]), st.floats(0, 5))
def test_a_higher_score_never_lowers_the_outcome(given_scores, key, more):
    raised = {**given_scores, key: given_scores[key] + more}
    assert decide(raised, POLICY).capped_average >= decide(given_scores, POLICY).capped_average - 1e-9


@given(scores)
def test_the_order_of_rules_does_not_matter(given_scores):
    turned = SimpleNamespace(**{**vars(POLICY), "caps": POLICY.caps[::-1], "gatekeepers": POLICY.gatekeepers[::-1]})
    assert decide(given_scores, turned, "sponsored").capped_average == decide(given_scores, POLICY, "sponsored").capped_average
