"""A server of OpenAI's and Anthropic's protocols as other servers speak them, written from what those send.

Shares nothing with `tests/fake_provider`. What it does with a request is said by a word in the prompt, ``[name]``;
without one it answers. Single calls and batches of both protocols; every text that it gave is in `Server.given`.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OPENAI_USAGE = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
ANTHROPIC_USAGE = {"input_tokens": 9, "output_tokens": 5}
WORDS = "I do not mind."


def chat(text=WORDS, finish="stop", usage=OPENAI_USAGE, message=None, **more):
    """A chat completion."""
    said = {"role": "assistant", "content": text} if message is None else message
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": finish}
    return 200, {"id": "x", "object": "chat.completion", "created": 1, "choices": [choice], "usage": usage} | more


def turn(content=WORDS, stop="end_turn", usage=ANTHROPIC_USAGE):
    """A message of Anthropic's."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-4-6", "content": blocks}
    return 200, body | {"stop_reason": stop, "stop_sequence": None, "usage": usage}


def error(status, message, code=None, kind="invalid_request_error", **more):
    """An error as OpenAI writes it."""
    return status, {"error": {"message": message, "type": kind, "param": None, "code": code} | more}


def refusal(status, kind, message):
    """An error as Anthropic writes it."""
    return status, {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def router(status, message, **metadata):
    """An error as OpenRouter writes it."""
    return status, {"error": {"message": message, "code": status, "metadata": metadata}, "user_id": "u"}


def thought(text):
    """A thinking part as Mistral writes it."""
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}], "closed": True}


LONG = "This model's maximum context length is 2048 tokens. However, you requested 2100 tokens"
RAW = json.dumps({"error": {"message": "too long", "code": "context_length_exceeded"}})
SURROGATE = b'{"choices": [{"message": {"content": "I do not mind. \\ud83d"}, "finish_reason": "stop"}]}'
NO_UTF8 = b'{"choices": [{"message": {"content": "I do not mind. \xff"}, "finish_reason": "stop"}]}'

# name: (what is sent, text, finish reason), for OpenAI's protocol
OPENAI = {
    # the reader is stricter than its servers
    "usage null": (chat(usage=None), WORDS, "stop"),
    "usage in part": (chat(usage={"total_tokens": 14}), WORDS, "stop"),
    "usage in words": (chat(usage={"prompt_tokens": "9", "completion_tokens": 5.0}), WORDS, "stop"),
    "finish null": (chat(finish=None), WORDS, "stop"),
    "finish eos": (chat(finish="eos"), WORDS, "stop"),
    "finish in capitals": (chat(finish="MAX_TOKENS"), WORDS, "length"),
    "finish tool_calls": (chat(finish="tool_calls"), WORDS, "stop"),
    "finish unheard of": (chat(finish="out_of_ink"), WORDS, "stop"),
    "broken off": (chat("I do", finish="insufficient_system_resource"), "I do", "length"),
    "parts": (chat([{"type": "text", "text": "I do "}, {"type": "text", "text": "not mind."}]), WORDS, "stop"),
    "one part": (chat({"type": "text", "text": WORDS}), WORDS, "stop"),
    "refusal part": (chat([{"type": "refusal", "refusal": "I will not."}]), "I will not.", "refusal"),
    "details null": (chat(usage=OPENAI_USAGE | {"prompt_tokens_details": None}), WORDS, "stop"),
    "error beside the answer": (chat(error={"message": "slow upstream"}), WORDS, "stop"),
    "half a pair": ((200, SURROGATE), WORDS + " \ufffd", "stop"),
    "no utf-8": ((200, NO_UTF8), WORDS + " \ufffd", "stop"),
    # reasoning
    "thinking parts": (chat([thought("secret"), {"type": "text", "text": "\nI do not mind."}]), WORDS, "stop"),
    "thinking parts alone": (chat([thought("secret")]), "", "length"),
    "reasoning_content": (chat(message={"content": WORDS, "reasoning_content": "secret"}), WORDS, "stop"),
    "reasoning_content alone": (chat(message={"content": None, "reasoning_content": "secret"}), "", "length"),
    "thought in the text": (chat("secret\n</think>\n\nI do not mind."), WORDS, "stop"),
    "channels in the text": (chat("analysisIt is a question.assistantfinalI do not mind."), WORDS, "stop"),
    "unfinished thought": (chat("<think>secret", finish="length"), "", "length"),
    # one request that is refused for good
    "moderation": (router(403, "Input was flagged", reasons=["violence"], flagged_input="a"), "", "content_filter"),
    "xai": ((403, {"code": "no permission", "error": "Content violates usage guidelines."}), "", "content_filter"),
    "content risk": (error(400, "Content Exists Risk", "invalid_request_error"), "", "content_filter"),
    "azure": (error(400, "The response was filtered", "content_filter"), "", "content_filter"),
    "inspection": (error(400, "Input data is odd", "data_inspection_failed"), "", "content_filter"),
    "legal": ((451, b"<html>unavailable for legal reasons</html>"), "", "content_filter"),
    "context": (error(400, "Please reduce your prompt.", "context_length_exceeded"), "", "too_long"),
    "context in words": ((400, {"object": "error", "message": LONG, "code": 400}), "", "too_long"),
    "context upstream": (router(400, "Provider returned error", raw=RAW), "", "too_long"),
    "too large": ((413, b"<html>413 Request Entity Too Large</html>"), "", "too_long"),
    "error in a 200": ((200, {"error": {"message": "a", "code": "context_length_exceeded"}}), "", "too_long"),
    "choices empty": ((200, {"choices": [], "usage": OPENAI_USAGE}), "", "content_filter"),
    "choices null": ((200, {"choices": None, "usage": None}), "", "content_filter"),
    "minimax": ((200, {"choices": None, "base_resp": {"status_code": 1026, "status_msg": "a"}}), "", "content_filter"),
}
ANTHROPIC = {
    "usage null": (turn(usage=None), WORDS, "stop"),
    "stop_reason null": (turn(stop=None), WORDS, "stop"),
    "pause_turn": (turn(stop="pause_turn"), WORDS, "length"),
    "tool_use": (turn(stop="tool_use"), WORDS, "stop"),
    "stop_reason unheard of": (turn(stop="out_of_ink"), WORDS, "stop"),
    "no blocks": (turn([]), "", "stop"),
    "null text": (turn([{"type": "text", "text": None}, {"type": "text", "text": WORDS}]), WORDS, "stop"),
    "thinking": (turn([{"type": "thinking", "thinking": "secret"}, {"type": "text", "text": WORDS}]), WORDS, "stop"),
    "thinking alone": (turn([{"type": "thinking", "thinking": "secret"}]), "", "length"),
    "thought in the text": (turn("secret\n</think>\n\nI do not mind."), WORDS, "stop"),
    "too long": (refusal(400, "invalid_request_error", "prompt is too long: 210 tokens > 200 maximum"), "", "too_long"),
    "too large": (refusal(413, "request_too_large", "Request exceeds the maximum size"), "", "too_long"),
    "filter": (
        refusal(400, "invalid_request_error", "Output blocked by content filtering policy"),
        "",
        "content_filter",
    ),
}
CASES = {"openai": OPENAI, "anthropic": ANTHROPIC}


def named(prompt):
    """The case that a prompt names, or ''."""
    found = re.search(r"\[([^]]*)\]", prompt)
    return found[1] if found else ""


class Server:
    """Answers at ``url`` until it is closed.

    Attributes:
        given: texts as they were sent, by prompt, with how often.
        calls: prompts that were sent, with how often.
        bodies: what was sent.
        first: a function of (body, how often this prompt came before) that may answer first: (status, body[, headers]).
    """

    def __init__(self):
        self.given, self.calls, self.bodies = Counter(), Counter(), []
        self.first = lambda body, times: None
        self.files, self.batches, self.lock = {}, {}, threading.RLock()
        handler = type("Handler", (_Handler,), {"server_of": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    @property
    def openai_url(self):
        return f"{self.url}/v1"

    @property
    def anthropic_url(self):
        return self.url

    def answer(self, dialect, body):
        """(status, body, headers) of one request."""
        prompt = body["messages"][-1]["content"]
        with self.lock:
            times = self.calls[prompt]
            self.calls[prompt] += 1
            self.bodies.append(body)
            status, content, *headers = self.first(body, times) or self._usual(dialect, prompt)
            if status == 200:
                self.given[prompt, json.dumps(content) if isinstance(content, dict) else content] += 1
        return status, content, headers[0] if headers else {}

    @staticmethod
    def _usual(dialect, prompt):
        case = CASES[dialect].get(named(prompt))
        if case:
            return case[0]
        return chat(f"An answer to {prompt}") if dialect == "openai" else turn(f"An answer to {prompt}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of: Server

    def log_message(self, *_):
        pass

    def say(self, status, content, headers=None):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        kind = "application/json" if body[:1] in b"{[" else "text/html"
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server_of
        match self.path.split("/")[2:]:
            case ["chat", "completions"]:
                return self.say(*server.answer("openai", json.loads(content)))
            case ["messages"]:
                return self.say(*server.answer("anthropic", json.loads(content)))
            case ["files"]:
                name = f"file-{len(server.files)}"
                boundary = self.headers["Content-Type"].split("boundary=")[1].strip('"').encode()
                part = next(part for part in content.split(b"--" + boundary) if b'filename="' in part)
                server.files[name] = part.split(b"\r\n\r\n", 1)[1].rstrip(b"\r\n")
                return self.say(200, {"id": name, "object": "file", "purpose": "batch", "bytes": 1, "created_at": 1})
            case ["batches"]:
                return self.say(200, self._openai_batch(json.loads(content)))
            case ["messages", "batches"]:
                return self.say(200, self._anthropic_batch(json.loads(content)))
        return self.say(404, {"error": {"message": self.path}})

    def do_GET(self):
        server = self.server_of
        match self.path.split("?")[0].split("/")[2:]:
            case ["batches"] | ["messages", "batches"] as path:
                kind = "batch_" if path == ["batches"] else "msgbatch_"
                found = [batch for name, batch in server.batches.items() if name.startswith(kind)][::-1]
                return self.say(200, {"object": "list", "data": found, "has_more": False, "first_id": None})
            case ["batches", name] | ["messages", "batches", name]:
                return self.say(200, server.batches[name])
            case ["files", name, "content"] | ["messages", "batches", name, "results"]:
                return self.say(200, server.files[name])
        return self.say(404, {"error": {"message": self.path}})

    def _openai_batch(self, asked):
        import time

        server, results = self.server_of, {"output": [], "error": []}
        for line in server.files[asked["input_file_id"]].splitlines():
            row = json.loads(line)
            status, content, _ = server.answer("openai", row["body"])
            response = b'{"status_code": %d, "request_id": "r", "body": %s}' % (status, _json(content))
            line = b'{"id": "b", "custom_id": "%s", "error": null, "response": %s}'
            results["output" if status == 200 else "error"].append(line % (row["custom_id"].encode(), response))
        name = f"batch_{len(server.batches)}"
        server.batches[name] = {"id": name, "object": "batch", "status": "completed", "created_at": int(time.time())}
        server.batches[name] |= {"endpoint": asked["endpoint"], "input_file_id": asked["input_file_id"]}
        server.batches[name] |= {"completion_window": "24h", "metadata": asked.get("metadata")}
        for kind, rows in results.items():
            server.files[f"{name}-{kind}"] = b"\n".join(rows)
            server.batches[name][f"{kind}_file_id"] = f"{name}-{kind}" if rows else None
        return server.batches[name]

    def _anthropic_batch(self, asked):
        import datetime

        server, rows = self.server_of, []
        name, now = f"msgbatch_{len(server.batches)}", datetime.datetime.now(datetime.UTC).isoformat()
        for row in asked["requests"]:
            status, content, _ = server.answer("anthropic", row["params"])
            result = {"type": "succeeded", "message": content}
            if status != 200:
                result = {"type": "errored", "error": content}
            rows.append(json.dumps({"custom_id": row["custom_id"], "result": result}).encode())
        server.files[name] = b"\n".join(rows)
        counts = {"processing": 0, "succeeded": len(rows), "errored": 0, "canceled": 0, "expired": 0}
        server.batches[name] = {"id": name, "type": "message_batch", "processing_status": "ended"}
        server.batches[name] |= {"request_counts": counts, "created_at": now, "expires_at": now, "ended_at": now}
        server.batches[name] |= {"results_url": f"{server.url}/v1/messages/batches/{name}/results"}
        server.batches[name] |= {"cancel_initiated_at": None, "archived_at": None}
        return server.batches[name]


def _json(content):
    """The body of a batch's row: what is no JSON comes as a text."""
    if isinstance(content, bytes) and content.startswith(b"{"):
        return content
    return json.dumps(content if not isinstance(content, bytes) else content.decode(errors="replace")).encode()
