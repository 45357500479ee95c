"""What an article's page shows of students that were measured on it."""

from pathlib import Path
from typing import Any

from django.test import Client

from scoring import services
from tests.scoring import world
from tests.training import world as newsroom
from training import datasets


def fragment(client: Client, article: int) -> str:
    client.force_login(world.person("viewer", "viewer"))
    return client.get(f"/articles/{article}/students").content.decode()


def test_it_shows_what_each_version_said_and_by_how_much_it_missed(client: Client, model: Any, dataset: Any, root: Path):
    run = services.start_benchmark(model=model)
    services.run_benchmark(run_id=run.pk, through=world.engine(root, dataset))
    item = dataset.items.filter(split="test").first()
    shown = fragment(client, item.article_id)
    assert ">news-ridge v1</a>" in shown and "Impact" not in shown, "dimensions are named by their keys"
    assert 'class="num">0.' in shown or 'class="num">1.' in shown


def test_an_article_that_was_learnt_from_has_no_predictions(client: Client, model: Any, dataset: Any):
    assert "What students said" not in fragment(client, dataset.items.filter(split="train").first().article_id)


def test_it_names_articles_of_nearly_the_same_text(client: Client, uplifting: Any, oracle: Any):
    first = newsroom.labelled(30, uplifting, oracle)[0]
    twin = newsroom.article(first.text, "The same once more")
    newsroom.label(twin, uplifting, oracle, [0.0, 0.0])
    datasets.freeze(name="twins", versions=[uplifting], oracle=oracle)
    assert f'href="/articles/{twin.pk}/">The same once more' in fragment(client, first.pk)
