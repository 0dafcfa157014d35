"""A receiver of Alertmanager's webhook that prints each alert as a line: what to replace by a pager.

usage: print_notifications.py HOST:PORT; needs Python and nothing else.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAX_BODY_BYTES = 4 * 1024 * 1024
SHOWN = ("status", "labels", "annotations", "startsAt")


class Receiver(BaseHTTPRequestHandler):
    """Takes notifications at any path."""

    timeout = 10

    def do_GET(self) -> None:
        """Say that it is there."""
        self._answer(200)

    def do_POST(self) -> None:
        """Print the alerts of one notification."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self._answer(413)
            return
        try:
            alerts = json.loads(self.rfile.read(int(length)))["alerts"]
            lines = [json.dumps({key: alert.get(key) for key in SHOWN}) for alert in alerts]
        except (ValueError, KeyError, TypeError, AttributeError):
            self._answer(400)
            return
        for line in lines:
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        self._answer(200)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server gives
        """Say nothing about requests."""

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    host, _, port = sys.argv[1].rpartition(":")
    ThreadingHTTPServer((host, int(port)), Receiver).serve_forever()
