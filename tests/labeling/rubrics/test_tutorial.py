"""The README's tutorial is true: its package is sound, and every command knows the words it is given."""

import re
import shlex
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from labeling.rubrics.packages import FilterPackage, load_package

README = (Path(__file__).resolve().parents[3] / "README.md").read_text()
COMMANDS = re.findall(r"^ {4}python manage\.py (\w+)(.*?)(?: #.*)?$", README, re.MULTILINE)


def tutorial(folder: Path) -> FilterPackage:
    """What its two shell lines write."""
    told = re.search(r"<<'YAML'\n(.*?) {4}YAML\n {4}echo \"(.*?)\"", README, re.DOTALL)
    assert told is not None
    (folder / "filter.yaml").write_text(re.sub(r"^ {4}", "", told[1], flags=re.MULTILINE))
    (folder / "prompt.md").write_text(told[2])
    return load_package(folder)


def test_its_package_is_sound(tmp_path: Path):
    package = tutorial(tmp_path)
    assert package.slug == "calm_news" and package.keys == ["calm", "grounded"]


@pytest.mark.parametrize(("name", "words"), COMMANDS)
def test_its_commands_are_as_it_says(name: str, words: str):
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    parser.parse_args(shlex.split(words))


def test_it_goes_all_the_way():
    assert [name for name, _ in COMMANDS].count("label") == 3
    assert {"import_filter", "import_articles", "prefilter", "freeze", "train", "benchmark", "promote", "score"} <= {
        name for name, _ in COMMANDS
    }
