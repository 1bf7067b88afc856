"""Both endpoints against the fake provider, through the providers' own clients."""

import pytest

from unit.inference.hosted.asking import Hosted

KEY = "sk-fake"


@pytest.fixture
def fake(fake, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    return fake


@pytest.fixture(params=["openai", "anthropic"])
def hosted(request, fake, tmp_path):
    return Hosted(request.param, fake, tmp_path / "store")


@pytest.fixture
def gpt(fake, tmp_path):
    return Hosted("openai", fake, tmp_path / "store")
