"""The fake provider, and the providers' own clients at it."""

import pytest
from fake_provider import FakeProvider


@pytest.fixture
def fake(tmp_path):
    with FakeProvider(tmp_path / "fake") as running:
        yield running


@pytest.fixture
def gpt(fake):
    import openai

    with openai.OpenAI(api_key="sk-fake", base_url=fake.openai_url, max_retries=0) as client:
        yield client


@pytest.fixture
def claude(fake):
    import anthropic

    with anthropic.Anthropic(api_key="sk-fake", base_url=fake.anthropic_url, max_retries=0) as client:
        yield client
