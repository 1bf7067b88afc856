"""The one plain training loop: chats to tokens, tokens to batches, batches to steps. Bases and adapters share it."""
