"""What listens on the wire: a proxy that keeps each message, and a peer that keeps what it is told."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

from house import eventually

BODY_MAX = 4 * 1024 * 1024


class Listener:
    """An HTTP server in a thread of its own, on a free port of loopback."""

    def __init__(self):
        listener = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                if length > BODY_MAX:
                    self.send_error(413)
                    return
                status, headers, body = listener.hear(self, self.rfile.read(length))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer

            def log_message(self, *_words):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()


class Tap(Listener):
    """Passes each request on to `to`, and keeps what was said both ways."""

    HEADERS = ("Content-Type", "SOAPAction")

    def __init__(self, to=None):
        self.to, self.seen = to, []
        super().__init__()

    def hear(self, request, body):
        told = requests.request(
            request.command,
            self.to + request.path,
            data=body,
            # Whoever describes itself must name the address that was asked.
            headers={"Host": request.headers["Host"]}
            | {name: request.headers[name] for name in self.HEADERS if name in request.headers},
            timeout=60,
        )
        if request.command == "POST":
            self.seen.append((f"to {request.path}", body))
            self.seen.append((f"answer of {request.path}", told.content))
        return told.status_code, {"Content-Type": told.headers["Content-Type"]}, told.content


class Peer(Listener):
    """Whoever is told results: it keeps each, and answers what it was made with."""

    def __init__(self, content_type, answer):
        self.content_type, self.reply, self.told = content_type, answer, []
        super().__init__()

    def hear(self, request, body):
        self.told.append((request.path, body))
        return 200, {"Content-Type": self.content_type}, self.reply

    def at(self, path):
        """What was told at a path, once it was."""
        find = lambda: [body for where, body in self.told if where == path]
        return eventually(find, f"message at {path}")[0]
