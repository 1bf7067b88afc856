"""A stateful fake of OpenAI's and Anthropic's HTTP APIs that their own Python clients talk to.

In a test, in a thread (``with FakeProvider(folder) as fake: ...``), or by hand, in a process of its own::

    python -m tests.fake_provider --port 8123 --state /tmp/fake
    export OPENAI_API_KEY=sk-fake OPENAI_BASE_URL=http://127.0.0.1:8123/v1
    export ANTHROPIC_API_KEY=sk-fake ANTHROPIC_BASE_URL=http://127.0.0.1:8123

All that it knows lies in the state folder: killed and started again, it goes on where it was.
"""

from .handle import FakeProvider

__all__ = ["FakeProvider"]
