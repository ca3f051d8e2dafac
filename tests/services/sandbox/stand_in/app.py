"""An app that the hosting tests deploy: as small as a process can be that answers HTTP and can misbehave."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

COMMIT = os.environ["RAILWAY_GIT_COMMIT_SHA"]
if COMMIT.startswith("b"):
    import greeting

    sys.stdout.write(f"greeting {greeting.__version__}\n")
if os.environ.get("SLOW") == COMMIT[0]:
    time.sleep(0.6)


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = urlsplit(self.path)
        if path.path == "/exit":
            os._exit(3)
        status = 503 if path.path == "/health" and os.environ.get("HEALTH") == "bad" else 200
        said = {
            "pid": os.getpid(),
            "commit": COMMIT[0],
            "word": os.environ.get("WORD"),
            "defects": os.environ.get("BUILD_DEFECTS"),
            "home": os.environ.get("HOME"),
            "method": self.command,
            "path": path.path,
            "query": path.query,
            "body": body.decode(),
            "host": self.headers.get("host"),
            "header": self.headers.get("x-test"),
        }
        answer = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.send_header("x-answer", "yes")
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PATCH = _any  # noqa: N815

    def log_message(self, *_: object) -> None:
        return None


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
sys.stderr.write("a word on standard error\n")
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answers).serve_forever()
