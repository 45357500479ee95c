"""Choosing who answers, on its pages and in a terminal: two versions beside each other, gates, promotions, the way back."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from distillery_site.common.models import AuditEntry
from scoring.models import Benchmark
from scoring.views import benchmarks
from tests.scoring import world
from training.models import Promotion
from training.services import model_for
from training.services import promote as without_gates

RIDGE, LORA = "/models/news-ridge/v1/", "/models/news-lora/v1/"
COMPARE = "/models/compare?first=news-lora/v1&second=news-ridge/v1"


def near(i: int, c: int) -> float:
    return 0.2 + 0.2 * (i % 2)


def far(i: int, c: int) -> float:
    return near(i, c) + (1 - c)


@pytest.fixture
def people(db: None) -> Callable[[str], Client]:
    def client(role: str) -> Client:
        found = Client()
        found.force_login(world.person(role, role))
        return found

    return client


@pytest.fixture
def newer(dataset: Any, root: Any, model: Any, engine: Any) -> Any:
    """Beside the ridge, which is near to the oracle, a lora that is a point farther off on impact."""
    found = world.model(dataset, root, "news-lora", "lora")
    world.measured(model, near), world.measured(found, far)
    return found


def page(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status, response.content
    return " ".join(response.content.decode().split())


def gates_of(client: Client, path: str) -> str:
    """The part that a page of gates asks for once it is there."""
    shown = page(client, path)
    assert 'hx-trigger="load"' in shown and "data-gate" not in shown
    return " ".join(client.get(path, headers={"HX-Request": "true"}).content.decode().split())


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_a_comparison_says_draws_and_lists(people, newer, uplifting):
    uplifting.labels.update(reasoning="Water for all.")
    html = page(people("viewer"), COMPARE)
    assert "news-lora v1 is worse by 1.00 [1.00, 1.00] on Impact; the rest is within noise." in html
    assert html.count('class="chart forest"') == 3, "a row a dimension and one for their mean"
    for part in ("p by", "The biggest movers", "The worst errors of either", "Water for all.", "manage.py compare news-lora/v1"):
        assert part in html, part
    assert html.count("apart by") == 20


def test_the_models_page_offers_two_versions_to_choose(people, newer):
    viewer = people("viewer")
    assert page(viewer, "/models/").count('value="news-lora/v1"') == 2
    assert "Compare two versions" in page(viewer, "/models/compare")


def test_a_model_page_leads_to_the_champion_beside_it(people, newer, uplifting):
    without_gates(model=newer, filter=uplifting.filter)
    assert "/models/compare?first=news-ridge/v1&amp;second=news-lora/v1" in page(people("viewer"), RIDGE)


def test_a_comparison_without_its_benchmark_offers_to_start_it(people, newer, monkeypatch):
    sent: list[int] = []
    monkeypatch.setattr(benchmarks.lane, "delay_on_commit", sent.append)
    Benchmark.objects.filter(model=newer).delete()
    lead = people("lead")
    assert "Measure news-lora v1 on the test split of news</button>" in page(lead, COMPARE)
    lead.post(f"{LORA}benchmark", {"split": "test", "dataset": "news"})
    assert sent == [Benchmark.objects.get(model=newer).pk]
    assert f"Benchmark {sent[0]} of news-lora v1 is queued" in page(lead, COMPARE)


@pytest.mark.parametrize("wrong", ["second=nobody/v1", "second=", "second=news-ridge/v1&split=train"])
def test_a_comparison_of_what_is_not_there_shows_the_form_again(people, newer, wrong):
    html = page(people("viewer"), f"/models/compare?first=news-lora/v1&{wrong}")
    assert "errorlist" in html and "Compare two versions" in html


def test_a_version_beside_itself_is_refused_in_a_sentence(people, newer):
    html = page(people("viewer"), "/models/compare?first=news-lora/v1&second=news-lora/v1")
    assert "be compared with itself" in html


def test_gates_are_seen_before_the_button(people, newer, uplifting):
    without_gates(model=newer, filter=uplifting.filter)
    html = gates_of(people("operator"), f"{RIDGE}promote?filter=uplifting")
    assert html.count('data-gate="open"') == 4 and html.count('data-gate="told"') == 1
    assert html.index("data-gate") < html.index(">Make it champion</button>")
    assert "Promote it anyway" not in html


def test_whoever_serves_already_has_gates_and_no_button(people, newer, uplifting):
    without_gates(model=newer, filter=uplifting.filter)
    operator = people("operator")
    assert "<h1>news-lora v1 is the champion of Uplifting</h1>" in page(operator, f"{LORA}promote?filter=uplifting")
    assert "<button" not in gates_of(operator, f"{LORA}promote?filter=uplifting")


def test_a_viewer_sees_the_gates_and_no_button(people, newer):
    viewer = people("viewer")
    assert "Promoting needs the role operator." in gates_of(viewer, f"{RIDGE}promote?filter=uplifting")
    assert viewer.post(f"{RIDGE}promote", {"filter": "uplifting"}).status_code == 403


def test_it_promotes_through_open_gates_and_says_who_answered_before(people, newer, uplifting):
    without_gates(model=newer, filter=uplifting.filter)
    response = people("operator").post(f"{RIDGE}promote", {"filter": "uplifting"}, follow=True)
    assert "news-ridge v1 is now the champion of Uplifting. Before, news-lora v1 was." in response.content.decode()
    last = Promotion.objects.first()
    assert (last.by.username, last.before, [gate["passed"] for gate in last.gates]) == ("operator", newer, [True] * 4 + [None])


def test_a_closed_gate_asks_for_a_reason_and_keeps_what_was_typed(people, newer, model, uplifting):
    without_gates(model=model, filter=uplifting.filter)
    operator = people("operator")
    refused = operator.post(f"{LORA}promote", {"filter": "uplifting", "reason": " "})
    assert refused.status_code == 409 and "one gate is closed" in refused.content.decode()
    assert "Promote it anyway, because" in refused.content.decode()
    too_long = operator.post(f"{LORA}promote", {"filter": "uplifting", "reason": "x" * 501})
    assert "x" * 501 in too_long.content.decode() and model_for(uplifting.filter) == model
    operator.post(f"{LORA}promote", {"filter": "uplifting", "reason": "It reads Dutch."})
    assert model_for(uplifting.filter) == newer
    html = page(operator, LORA)
    assert "1 closed</span>, because: It reads Dutch." in html and "Roll back to news-ridge v1" in html


def test_it_refuses_an_unknown_alias_in_a_sentence(people, newer):
    response = people("operator").post(f"{RIDGE}promote", {"filter": "uplifting", "alias": "king"}, follow=True)
    assert "There is no alias" in response.content.decode()


def test_it_knows_no_gates_of_a_filter_that_the_version_does_not_answer(people, newer):
    page(people("operator"), f"{RIDGE}promote?filter=risk", status=404)


def test_one_click_rolls_back_and_a_second_from_the_same_page_does_nothing(people, newer, model, uplifting):
    for one in (model, newer):
        without_gates(model=one, filter=uplifting.filter)
    operator, seen = people("operator"), Promotion.objects.first().pk
    response = operator.post("/filters/uplifting/rollback", {"undo": seen}, follow=True)
    assert "news-ridge v1 is the champion of Uplifting again." in response.content.decode()
    again = operator.post("/filters/uplifting/rollback", {"undo": seen}, follow=True)
    assert "was changed since this page was opened" in again.content.decode()
    assert model_for(uplifting.filter) == model
    assert AuditEntry.objects.order_by("pk").last().action == "roll back champion"


def test_only_an_operator_rolls_back(people, newer):
    assert people("lead").post("/filters/uplifting/rollback", {}).status_code == 403


def test_the_filter_page_tells_who_answered(people, newer, model, uplifting):
    for one in (model, newer):
        without_gates(model=one, filter=uplifting.filter)
    viewer = people("viewer")
    assert "/filters/uplifting/promotions" in page(viewer, "/filters/uplifting/")
    html = page(viewer, "/filters/uplifting/promotions")
    assert "Who answered for Uplifting" in html and "not asked" in html
    assert "Roll back to" not in html


def test_the_command_promotes_through_the_gates(newer, uplifting):
    told = json.loads(run("promote", "news-ridge", "--json"))
    assert (told["model"], told["before"]) == ("news-ridge/v1", {"uplifting": None})
    assert [gate["passed"] for gate in told["gates"]["uplifting"]] == [True] * 4 + [None]
    assert run("promote", "news-ridge/v1", "--filter", "uplifting") == "news-ridge/v1 is uplifting's champion already.\n"


def test_the_command_lists_closed_gates_and_opens_them_with_a_reason(newer, model, uplifting):
    without_gates(model=model, filter=uplifting.filter)
    with pytest.raises(CommandError, match="one gate is closed: Beside news-ridge v1 .* add --force REASON"):
        run("promote", "news-lora")
    assert run("promote", "news-lora", "--force", "It reads Dutch.") == (
        "news-lora/v1 is uplifting's champion now, in place of news-ridge/v1.\n"
    )
    assert Promotion.objects.first().reason == "It reads Dutch."


def test_the_command_knows_what_models_there_are(newer):
    with pytest.raises(CommandError, match="There is no model 'news-ridge/v9'"):
        run("promote", "news-ridge/v9")


def test_the_command_compares(newer):
    said = run("compare", "news-lora", "news-ridge", "--filter", "uplifting")
    assert said.startswith("uplifting v1 on 16 test articles of news:\nnews-lora v1 misses the oracle by 0.80 on average")
    assert "Impact: 1.300 against 0.300, +1.000 [+1.000, +1.000], n = 16, p = 0.002: worse" in said
    [told] = json.loads(run("compare", "news-lora", "news-ridge", "--json"))["comparisons"]
    assert [line["verdict"] for line in told["dimensions"]] == ["worse", "noise"]


def test_the_command_says_how_to_measure_what_is_missing(newer):
    with pytest.raises(CommandError, match="Measure it with manage.py benchmark news-lora/v1 --split val."):
        run("compare", "news-lora", "news-ridge", "--split", "val")


def test_without_a_filter_in_the_address_it_asks_about_the_one_in_hand(people, newer):
    operator = people("operator")
    assert "Uplifting" in page(operator, f"{RIDGE}promote")
    assert operator.post(f"{RIDGE}promote", {}).status_code == 404  # nobody is promoted by a guess
