"""What both clients have in common: they are asked for payments, hear M-Pesa, and show their books."""

import argparse
import csv
import io
import json
import pathlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from wire import Daraja, Soap

BODY_MAX = 1024 * 1024


def arguments(says):
    parser = argparse.ArgumentParser(description=says)
    parser.add_argument("--interface", choices=["soap", "daraja", "gateway"], default="soap")
    parser.add_argument("--connection", required=True, help="what `mlango certify --connection` wrote")
    parser.add_argument("--listen", type=int, default=9000, help="a port on 127.0.0.1")
    parser.add_argument("--timeout", type=float, default=2.0, help="seconds to wait for an answer")
    return parser


def connect(given):
    """M-Pesa, as the connection file describes it; waits until that is written."""
    path = pathlib.Path(given.connection)
    while not path.exists():
        time.sleep(0.05)
    interface = Soap if given.interface == "soap" else Daraja
    callbacks = f"http://127.0.0.1:{given.listen}"
    return interface(json.loads(path.read_text()), callbacks, given.timeout)


def books(rows):
    """reference,status,amount,receipt,phone"""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["reference", "status", "amount", "receipt", "phone"])
    writer.writerows(rows)
    return out.getvalue()


def serve(port, client):
    """POST /pay asks `client` for a payment, /result and /timeout are M-Pesa's, GET /books."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), BODY_MAX))
            text = body.decode(errors="replace")
            if self.path == "/pay":
                payment = json.loads(text)
                threading.Thread(target=client.pay, args=(payment,), daemon=True).start()
                return self.answer(202, "application/json", "{}")
            if self.path.startswith("/result"):
                client.hear_result(text, self.path)
            elif self.path.startswith("/timeout"):
                client.hear_timeout(text, self.path)
            return self.answer(200, *client.mpesa.ACKNOWLEDGED)

        def do_GET(self):
            self.answer(200, "text/csv", books(client.books()))

        def answer(self, status, kind, text):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
