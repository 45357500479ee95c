"""The gate: a new filter goes once round the whole loop, through real processes, a real client and REST."""

import httpx2
import pytest

from tests.e2e.conftest import CLAUDE, PAID

pytestmark = pytest.mark.timeout(900)


def test_it_says_what_all_will_cost_before_anything_is_paid(loop):
    plan = loop["plan"]
    assert (plan["ask"], plan["refusals"], plan["tokens_by"]) == (150, [], "counted by anthropic on 20 articles")
    paid = sum(float(loop[step]["cost_usd"]) for step in ("pilot", "label"))
    assert 0 < paid <= plan["worst_usd"] <= plan["cap_usd"]


def test_a_pilot_comes_first_and_foretells_the_rest(loop):
    report = loop["pilot"]["report"]
    assert (loop["pilot"]["labelled"], report["rest"]["articles"]) == (80, 70)
    assert len(report["rubrics"][0]["dimensions"]) == 3
    assert float(loop["label"]["cost_usd"]) == pytest.approx(report["rest"]["direct"]["mean"], rel=0.1)


def test_it_labels_every_article_once_and_within_the_budget(loop, vendor):
    assert loop["label"]["state"] == "done"
    assert (loop["label"]["labelled"], loop["label"]["stored"]) == (70, 80)
    assert loop["prefilter"]["passed"] == 150
    assert 0 < float(loop["label"]["cost_usd"]) < 5


def test_it_pays_nothing_twice(loop, site, vendor):
    asked = len(vendor.calls)
    again = site.manage(*CLAUDE, *PAID)
    assert len(vendor.calls) == asked
    assert float(again["cost_usd"]) == 0


def test_it_reads_a_random_part_again(loop):
    assert (loop["again"]["reading"], loop["again"]["labelled"]) == (2, 12)


def test_a_second_oracle_answers_too(loop):
    found = loop["second oracle"]
    assert (found["state"], found["labelled"]) == ("done", 12) and float(found["cost_usd"]) > 0


def test_a_batch_costs_half_and_every_answer_finds_its_article(loop, vendor):
    plan, found = loop["batch plan"], loop["batch"]
    assert plan["costs"]["batch"] == pytest.approx(plan["costs"]["direct"] / 2)
    assert (found["state"], found["mode"], found["labelled"]) == ("done", "batch", 6)
    assert sum(entry.batch for entry in vendor.ledger) == 6


def test_it_splits_by_cluster_and_leaks_nothing(loop):
    assert loop["freeze"]["leakage"] == 0
    assert sum(loop["freeze"]["splits"].values()) == 150


@pytest.mark.parametrize("kind", ["ridge", "lora", "stack"])
def test_it_never_shows_a_bare_error(loop, kind):
    figures = loop[f"benchmark {kind}"]["report"]["filters"]["clear_writing"]
    assert figures["mae_ci"][0] <= figures["mae"] <= figures["mae_ci"][1]
    assert figures["constant_mae"] > 0
    assert "skill" in figures


def test_it_learns_what_the_oracle_looks_at(loop):
    figures = loop["benchmark ridge"]["report"]["filters"]["clear_writing"]
    assert figures["mae"] < figures["constant_mae"]


def test_it_scores_over_rest_with_the_promoted_version(loop, site):
    key = site.manage("issue_key", "gate", "--user", "admin")["secret"]
    body = {"filter": "clear_writing", "articles": [{"id": "a", "title": "A house", "text": "people water house " * 20}]}
    answer = httpx2.post(f"{site.url}/api/v1/score", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=60)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["model"]["manifest_sha256"] == loop["benchmark stack"]["report"]["hashes"]["manifest"]
    assert set(found["results"][0]["scores"]) == {"plain_words", "short_sentences", "order"}


def test_it_refuses_a_wrong_key_in_a_sentence(loop, site):
    answer = httpx2.post(f"{site.url}/api/v1/score", json={}, headers={"Authorization": "Bearer dk_wrong"})
    assert answer.status_code == 401
    assert answer.json()["error"]["message"].endswith(".")
