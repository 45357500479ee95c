"""What can be held to its word about the containers without an engine to run them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from distillery_site.supervisor import NAMES, programs

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()


def test_every_program_of_up_has_a_container_and_so_have_the_services() -> None:
    assert set(SERVICES) == {*NAMES, "postgres", "redis"}


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"engine"}))
def test_a_container_runs_the_program_it_is_named_after_and_is_asked_for_its_health(name: str) -> None:
    command = SERVICES[name]["command"]
    assert command[:2] == ["up", "--only"]
    assert [program.name for program in programs(only=[command[2]])] == [name]
    assert SERVICES[name]["healthcheck"]["test"][-1] == name


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_container_runs_as_root_or_writes_to_its_image(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["healthcheck"]["test"]
    if "build" in service:
        stage = DOCKERFILE.partition(f"AS {service['build']['target']}\n")[2].partition("\nFROM ")[0]
        assert "USER 10001:10001" in stage
    else:
        assert service["user"] not in ("root", "0")


def test_only_who_trains_or_answers_gets_torch() -> None:
    targets = {name: service["build"]["target"] for name, service in SERVICES.items() if "build" in service}
    assert {name for name, target in targets.items() if target == "student"} == {"engine", "gpu"}
    assert "students" not in DOCKERFILE.partition("AS web-packages\n")[2].partition("\nFROM ")[0]


def test_no_secret_has_a_default() -> None:
    secrets = re.findall(r"\$\{((?:\w*PASSWORD|SECRET_KEY|ENGINE_TOKEN))([^}]*)\}", (ROOT / "docker-compose.yml").read_text())
    assert len(secrets) >= 4 and all(rule.startswith(":?") for _, rule in secrets)
    assert all(re.search(rf"^{name}=$", EXAMPLE, re.MULTILINE) for name, _ in secrets)


def test_everything_the_site_needs_is_copied_into_the_images() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {"manage.py", "distillery_site", "labeling", "training", "scoring", "templates", "static"} <= kept
    assert all((ROOT / path).exists() for path in kept)
