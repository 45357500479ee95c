"""Who an oracle is, where several servers answer under one model's name."""

from typing import Any

import pytest

from labeling.services import get_oracle

pytestmark = pytest.mark.django_db
OLLAMA, VLLM = "http://127.0.0.1:11434/v1", "https://vllm.example:8000/v1"


def test_openais_own_server_needn_t_be_named(settings: Any):
    settings.OPENAI_BASE_URL = "https://api.openai.com/v1"
    oracle = get_oracle(provider="openai")
    assert "host" not in oracle.params and oracle.name == oracle.model


def test_a_server_of_ones_own_is_part_of_who_the_oracle_is(settings: Any):
    settings.OPENAI_BASE_URL = OLLAMA
    here = get_oracle(provider="openai", model="llama")
    assert here.params["host"] == "127.0.0.1:11434" and here.name == "llama at 127.0.0.1:11434"
    settings.OPENAI_BASE_URL = VLLM
    there = get_oracle(provider="openai", model="llama")
    assert there.identity != here.identity and there.name == "llama at vllm.example:8000"


def test_claude_is_claude_behind_any_address(settings: Any):
    settings.ANTHROPIC_BASE_URL = OLLAMA
    assert "host" not in get_oracle(provider="anthropic").params
