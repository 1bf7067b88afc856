"""Imported by every Python process of vLLM's server in the tests: notes each address outside this machine."""

import os
import sys


def listen(event, arguments):
    address = ""
    if event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        address = str(arguments[1][0])
    if event == "socket.getaddrinfo":
        address = arguments[0] or ""
        address = address.decode() if isinstance(address, bytes) else address
    if address and address not in ("localhost", "::1") and not address.startswith("127."):
        with open(os.environ["VLLM_TEST_OUTSIDE"], "a", encoding="utf-8") as file:
            file.write(f"{address}\n")


sys.addaudithook(listen)
