from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from declaration.site import Site
from tests.support.sites import lab_site


@pytest.fixture
def site() -> Site:
    """The lab's site."""
    return lab_site()


class Proxy(http.server.BaseHTTPRequestHandler):
    """Answers like a proxy; the page's name says how."""

    def do_GET(self) -> None:
        status = 403 if "denied" in self.path else 200
        self.send_response(status)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        if "cut" in self.path:
            self.wfile.write(b"x" * 10)
        else:
            self.wfile.write(b"x" * 1000)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def proxy() -> Iterator[int]:
    """The port of something on the loopback that answers as a proxy does."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
