"""A real server that takes what webhooks are told, for tests of whoever tells."""

import json
import threading
from collections import deque
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver(ThreadingHTTPServer):
    """Keeps what is posted; answers with what ``answers`` hold, then with 200. 0: hangs up without an answer.

    It answers nobody while ``open`` is cleared.
    """

    daemon_threads = False  # so that closing waits for those who answer

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.got, self.answers, self.open = [], deque(), threading.Event()
        self.open.set()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook?secret=1"

    def told(self):
        """Status of each notice that came."""
        return [body["status"] for _, _, body in self.got]


class Handler(BaseHTTPRequestHandler):
    timeout = 30

    def do_POST(self):
        """Take a post."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append((self.path, self.headers.get("Idempotency-Key"), body))
        self.server.open.wait()
        status = self.server.answers.popleft() if self.server.answers else 200
        if status:
            self.send_response(status)
            self.send_header("Retry-After", "30")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def receiving():
    """A server that takes posts while the body runs."""
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.open.set()
        server.shutdown()
        thread.join()
        server.server_close()
