"""Base models and adapters on this machine.

`identity` and `find` name them, `loading` loads them, `chat_template` renders chats, `placement` and
`memory_estimate` say whether one fits, `moe_lora` adapts experts, `resident` keeps one loaded between jobs.
"""
