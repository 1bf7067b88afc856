"""A server on a Unix socket that answers each prompt with its own tokens in reverse."""

import json
import os
import socketserver
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler

WRONG = os.environ.get("STAND_IN", "")
arguments = dict(zip(sys.argv[1::1], sys.argv[2::1], strict=False))
base, socket = arguments["--served-model-name"], arguments["--uds"]
empty = []
models = [{"id": base, "root": arguments["--model"], "parent": None, "max_model_len": 64}]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "socket"

    def log_message(self, *_):
        pass

    def say(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def allowed(self):
        if self.headers.get("Authorization") == f"Bearer {os.environ['VLLM_API_KEY']}":
            return True
        self.say(401, {"error": "Unauthorized"})
        return False

    def do_GET(self):
        if self.path == "/health":
            return self.say(200, {})
        if not self.allowed():
            return None
        applied = [{"id": "mine", "root": "/else", "parent": base, "max_model_len": 64}] * ("applied" in WRONG)
        return self.say(200, {"data": models + applied})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.allowed():
            return None
        if self.path == "/v1/load_lora_adapter":
            if "refuses" in WRONG:
                return self.say(500, {"error": {"message": "Call to add_lora failed: a tensor is too wide"}})
            print(f"loaded {json.dumps(asked)} with {os.environ['VLLM_API_KEY']}", flush=True)
            models.append({"id": asked["lora_name"], "root": asked["lora_path"], "parent": base})
            return self.say(200, "Success")
        assert self.path == "/v1/completions"
        if asked["model"] not in [model["id"] for model in models]:
            return self.say(404, {"error": {"message": f"The model `{asked['model']}` does not exist."}})
        if "dies" in WRONG:
            print("ValueError: a page fault of the engine", flush=True)
            os._exit(1)
        time.sleep(float(os.environ.get("STAND_IN_SECONDS", "0")))
        drawn = [*reversed(asked["prompt"][-asked["max_tokens"] + 1 :]), *asked["stop_token_ids"][:1]]
        finish = json.loads(os.environ.get("STAND_IN_FINISH", '"stop"'))
        if "nothing at first" in WRONG and not empty:
            empty.append(asked["seed"])
            return self.say(200, {"model": asked["model"], "choices": None, "usage": None})
        if "too long" in WRONG and asked["seed"] % 2:
            message = "This model's maximum context length is 64 tokens. However, you requested 70 tokens"
            return self.say(400, {"object": "error", "message": message, "type": "BadRequestError", "code": 400})
        choice = {"finish_reason": finish, "prompt_token_ids": asked["prompt"], "token_ids": drawn}
        if asked.get("structured_outputs"):
            print(f"asked for {json.dumps(asked['structured_outputs'])}", flush=True)
        return self.say(200, {"model": "another" if "another" in WRONG else asked["model"], "choices": [choice]})


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 1000


if "model" in WRONG.split():
    print("(EngineCore pid=7) ERROR 11-25 04:50:36 [core.py:8] ValueError: this architecture is not supported")
    sys.exit("(APIServer pid=6) RuntimeError: Engine core initialization failed. See root cause above.")
# in a session of its own and deaf to SIGTERM: as hard to end as a process can be
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
if "child" in WRONG:
    subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
time.sleep(float(os.environ.get("STAND_IN_START", "0")))
Server(socket, Handler).serve_forever()
