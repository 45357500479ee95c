"""The rubric editor's pages: nothing typed is lost, what is wrong stands at its place, what saving does is said before."""

import io
import zipfile
from typing import Any

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from distillery_site.common.errors import BadInput
from labeling import services
from labeling.models import Filter, FilterVersion, OracleLabel
from labeling.rubrics import editor, packaging
from labeling.rubrics.drafts import Draft
from tests.labeling import world

HTMX = {"HX-Request": "true"}


@pytest.fixture
def lead(client: Client, db: None, django_user_model: Any) -> Client:
    client.force_login(django_user_model.objects.create_superuser("lead"))
    return client


def typed(draft: Draft, **more: str) -> dict[str, Any]:
    """What the page sends for this draft, with a button's or a hidden input's value."""
    gone = {f"gone.{box.name}": box.value for part in draft.gone for box in part.every_box}
    return {**{box.name: box.value for box in draft.every_box}, **gone, "fields": draft.fields, **more}


def tiny(**changes: Any) -> Draft:
    return Draft.of({**world.TINY, **changes})


def saving(version: FilterVersion, draft: Draft, said: str) -> dict[str, Any]:
    return typed(draft, do="save", said=said, base=editor.base_of(version.filter))


def label(version: FilterVersion) -> OracleLabel:
    article = world.articles(1)[0]
    oracle = services.get_oracle(provider="external", model="A careful judge")
    known = {"text_sha256": article.text_sha256, "rubric_hash": version.rubric_hash, "request_hash": "x"}
    return version.labels.create(article=article, oracle=oracle, scores=[1.0, 2.0], **known)


def shown(response: Any, status: int = 200) -> str:
    assert response.status_code == status, response.content.decode()[:2000]
    return response.content.decode()


def test_a_filter_is_written_and_saved(lead: Client):
    answer = lead.post("/filters/new", typed(tiny(), do="save", said="Save the filter", base="0.0"))
    assert answer["Location"] == "/filters/tiny/"
    version = Filter.objects.get(slug="tiny").latest
    assert version is not None and version.rubric_hash == world.package().rubric_hash
    assert version.policies.get().weights == {"good": 0.5, "bad": 0.5}


def test_its_short_name_and_keys_are_made_from_names(lead: Client):
    draft = tiny(name="Good or bad?", slug="", dimensions=[{**one, "key": ""} for one in world.TINY["dimensions"]])
    lead.post("/filters/new", typed(draft, do="save", said="Save the filter", base="0.0"))
    assert Filter.objects.get(slug="good_or_bad").latest.keys == ["good", "bad"]  # type: ignore[union-attr]


def test_what_is_wrong_stands_at_its_place_and_what_is_typed_stays(lead: Client):
    draft = tiny(name="", prompt="Half a thought")
    draft.parts["dimension"][0].boxes["weight"].value = "a lot"
    page = shown(lead.post("/filters/new", typed(draft, do="save", said="Save", base="0.0")), 400)
    assert "Half a thought" in page and 'value="a lot"' in page
    assert '<a href="#in-name">Name</a>: This is needed.' in page and 'id="in-dimension-0-weight-wrong"' in page
    assert not Filter.objects.exists()


def test_a_taken_short_name_is_told_and_nothing_is_changed(lead: Client, version: FilterVersion):
    draft = tiny(prompt="Another one")
    page = shown(lead.post("/filters/new", typed(draft, do="save", said="Save the filter", base="0.0")), 400)
    assert "There is already a filter tiny" in page and "Another one" in page
    assert version.filter.versions.count() == 1


@pytest.mark.parametrize("slug", ["new", "No Slug", "é"])
def test_a_short_name_that_no_address_can_have_is_refused(lead: Client, slug: str):
    shown(lead.post("/filters/new", typed(tiny(slug=slug), do="save", said="Save the filter", base="0.0")), 400)
    assert not Filter.objects.exists()


def test_another_wording_is_another_version_and_says_so_before(lead: Client, version: FilterVersion):
    label(version)
    draft = tiny(prompt="How good, really?")
    page = shown(lead.post("/filters/tiny/edit", typed(draft, do="check")))
    assert "Save as version 2" in page and "The 1 labels of version 1 stay with it" in page and "the prompt" in page
    lead.post("/filters/tiny/edit", saving(version, draft, "Save as version 2"))
    assert version.filter.latest.number == 2 and version.labels.count() == 1


def test_other_tiers_are_another_policy_and_every_label_stays_good(lead: Client, version: FilterVersion):
    label(version)
    draft = tiny(tiers=[{"name": "maybe", "min": 0}])
    page = shown(lead.post("/filters/tiny/edit", typed(draft, do="check")))
    assert "Save as policy 2" in page and "stay good" in page and "the tiers" in page
    lead.post("/filters/tiny/edit", saving(version, draft, "Save as policy 2"))
    assert version.filter.latest == version and version.policies.count() == 2


def test_another_name_changes_neither_rubric_nor_policy(lead: Client, version: FilterVersion):
    lead.post("/filters/tiny/edit", saving(version, tiny(name="Small"), "Save the new words"))
    assert Filter.objects.get().name == "Small" and version.policies.count() == version.filter.versions.count() == 1


def test_a_save_that_would_do_what_the_button_did_not_say_asks_again(lead: Client, version: FilterVersion):
    page = shown(lead.post("/filters/tiny/edit", saving(version, tiny(prompt="Changed"), "Save as policy 2")), 409)
    assert "something else than the button said" in page and 'value="Save as version 2"' in page
    assert version.filter.versions.count() == 1


def test_two_people_never_undo_each_other_unawares(lead: Client, version: FilterVersion):
    mine = saving(version, tiny(prompt="Mine"), "Save as version 2")
    world.version(prompt="Somebody else's")
    page = shown(lead.post("/filters/tiny/edit", mine), 409)
    assert "Somebody saved this filter" in page and ">\nMine</textarea>" in page and "Save as version 3" in page


def test_nothing_is_saved_twice_nor_an_earlier_rubric_again(version: FilterVersion):
    with pytest.raises(BadInput, match="nothing to save"):
        editor.save(package=world.package(), filter_=version.filter, actor=None)
    world.version(prompt="The second")
    with pytest.raises(BadInput, match="word for word the rubric of version 1"):
        editor.save(package=world.package(), filter_=version.filter, actor=None)


def test_saving_what_is_stored_goes_back_to_the_filter(lead: Client, version: FilterVersion):
    answer = lead.post("/filters/tiny/edit", saving(version, tiny(), "Save"), follow=True)
    assert "Nothing changed" in shown(answer) and version.filter.versions.count() == 1


def test_it_says_which_dimensions_changed(version: FilterVersion):
    good, bad = world.TINY["dimensions"]
    draft = [{**bad, "description": "how very bad"}, {**good, "name": "Fine"}, {**good, "key": "new", "name": "New", "weight": 0}]
    changes = list(editor.rubric_changes(version, world.package(dimensions=draft, view={"max_words": 9})))
    assert changes == ["the article view", "New is new", "Bad: description", "Fine: name", "the order of the dimensions"]


@pytest.mark.parametrize(
    ("button", "sign"),
    [
        ("add dimension", 'id="in-dimension-2-name"'),
        ("remove dimension.0", "Taken out: Good"),
        ("down dimension.0", "autofocus"),
        ("add gatekeeper", 'name="gatekeeper.0.reason"'),
        ("balance", "add up to 1."),
    ],
)
def test_lines_are_changed_by_buttons_without_a_script(lead: Client, button: str, sign: str):
    page = shown(lead.post("/filters/new", typed(tiny(prompt="Still here"), do=button)))
    assert sign in page and "Still here" in page and "<h1>" in page


def test_with_htmx_only_the_fields_come_anew(lead: Client):
    page = shown(lead.post("/filters/new", typed(tiny(), do="add tier"), headers=HTMX))
    assert page.lstrip().startswith('<div id="fields"') and "<h1" not in page and 'name="tier.2.name"' in page


def test_the_preview_shows_word_for_word_what_would_be_sent(lead: Client):
    article = world.articles(2)[0]
    page = shown(
        lead.post("/filters/new", typed(tiny(prompt="Mark <my> words"), do="preview", article=str(article.pk)), headers=HTMX)
    )
    assert "Mark &lt;my&gt; words" in page and "good: how good. 0 not; 9-10 very." in page
    assert "word0x69" in page and "together, about" in page and "1,000 articles like this one: about $" in page
    assert 'id="outcome" hx-swap-oob="true"' in page and "Save the filter" in page


def test_the_preview_of_half_a_rubric_shows_what_is_there(lead: Client):
    world.articles(1)
    draft = tiny(prompt="")
    draft.parts["dimension"][0].anchors[0].boxes["score"].value = "high"
    page = shown(lead.post("/filters/new", typed(draft, do="preview", article="99999999999999999999"), headers=HTMX))
    assert "bad: how bad" in page and "Check says what" in page


def test_without_articles_the_preview_says_how_to_get_some(lead: Client):
    assert "The preview needs an article" in shown(lead.get("/filters/new"))


def test_a_new_filter_starts_from_a_copy(lead: Client, version: FilterVersion):
    page = shown(lead.get("/filters/new?from=tiny"))
    assert "How good, how bad?" in page and 'id="in-slug" name="slug" value=""' in page
    shown(lead.get("/filters/new?from=nonsense"))


def files(values: dict[str, Any], prompt: str = "How?") -> list[SimpleUploadedFile]:
    told = yaml.safe_dump({key: value for key, value in values.items() if key != "prompt"})
    return [SimpleUploadedFile("filter (1).yaml", told.encode()), SimpleUploadedFile("prompt.md", prompt.encode())]


def test_a_package_is_read_into_the_page_and_not_saved_yet(lead: Client):
    page = shown(lead.post("/filters/new", {"do": "upload", "files": files(world.TINY, "How good?\r\n")}))
    assert ">\nHow good?</textarea>" in page and "Save the filter" in page and not Filter.objects.exists()


def test_a_package_with_faults_is_read_all_the_same(lead: Client):
    page = shown(
        lead.post("/filters/new", {"do": "upload", "files": files({**world.TINY, "tiers": [{"name": "x"}], "colour": "blue"})})
    )
    assert 'href="#in-tier-0-min"' in page and "colour" in page


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("filter.yaml", b"slug: [", "not valid YAML"),
        ("filter.yaml", b"- a", "must hold keys and values"),
        ("filter.yaml", b"\xff\xfe\x00", "not UTF-8"),
        ("prompt.md", b"How?", "Choose filter.yaml and prompt.md together"),
        ("package.zip", b"PK no zip", "not a zip that can be read"),
        ("filter.yaml", b"x" * (packaging.MAX_BYTES + 1), "larger than 1 MB"),
    ],
)
def test_files_that_are_no_package_are_refused_in_a_sentence(lead: Client, name: str, content: bytes, sentence: str):
    page = shown(lead.post("/filters/new", {"do": "upload", "files": SimpleUploadedFile(name, content)}), 400)
    assert sentence in page


def test_a_download_read_back_is_the_same_filter(lead: Client, version: FilterVersion):
    answer = lead.get("/filters/tiny/package.zip")
    assert answer["Content-Disposition"] == 'attachment; filename="tiny.zip"'
    assert zipfile.ZipFile(io.BytesIO(answer.content)).namelist() == ["tiny/filter.yaml", "tiny/prompt.md"]
    page = lead.post("/filters/new", {"do": "upload", "files": SimpleUploadedFile("tiny.zip", answer.content)})
    values = page.context["draft"].values
    assert editor.outcome(services.FilterPackage.model_validate(values), version.filter) == editor.NOTHING


def test_the_filters_cap_is_set_and_taken_away(lead: Client, version: FilterVersion):
    assert "The cap is $12.5000 now." in shown(lead.post("/filters/tiny/cap", {"budget_usd": "12.5"}, follow=True))
    assert Filter.objects.get().budget_usd == 12.5
    shown(lead.post("/filters/tiny/cap", {"budget_usd": ""}, follow=True))
    assert Filter.objects.get().budget_usd is None


@pytest.mark.parametrize("cap", ["0", "-3", "lots"])
def test_a_cap_that_is_none_is_refused(lead: Client, version: FilterVersion, cap: str):
    lead.post("/filters/tiny/cap", {"budget_usd": cap}, follow=True)
    assert Filter.objects.get().budget_usd is None
