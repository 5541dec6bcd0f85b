"""A client that passes every case of `mlango certify`: wrong_client.py without its mistakes.

It keeps its book in memory, which a real one must not: there, each change below that is made
before something is sent or acknowledged must be on disk first.
"""

import threading
import time

import house
import wire

# M-Pesa's word that it knows no such payment counts only when the request can no longer be on its
# way, nor in a queue.
NOT_FOUND = {"49", "2033"}
PAID = {"Completed"}
NOT_PAID = {"Declined", "Cancelled", "Expired"}


class Payment:
    def __init__(self, asked):
        self.reference, self.phone, self.amount = asked["reference"], asked["phone"], asked["amount"]
        self.id = wire.new_id()  # one id for ever, whatever happens
        self.status, self.receipt = "pending", ""
        self.sent_at = 0.0
        self.settled = threading.Event()
        self.news = threading.Event()  # there is reason to ask at once

    def settle(self, status, receipt=""):
        """The first word of M-Pesa's stands. A later one that contradicts it is for a person."""
        if self.status == "pending":
            self.status, self.receipt = status, receipt
            self.settled.set()
            self.news.set()
        elif self.status != status:
            print(f"{self.reference} is {self.status}, and M-Pesa now says {status}", flush=True)


class RightClient:
    def __init__(self, mpesa, given):
        self.mpesa, self.given = mpesa, given
        self.lock = threading.Lock()
        self.payments = {}  # by id
        self.questions = {}  # by id: what was answered, and when it was

    def pay(self, asked):
        payment = Payment(asked)
        with self.lock:  # known before it is sent: its result may come before its answer
            self.payments[payment.id] = payment
        self.send(payment)
        for _ in range(self.given.questions):
            # Most are settled here, by their results.
            payment.news.wait(self.given.overdue)
            payment.news.clear()
            if payment.settled.is_set() or self.find_out(payment):
                return
        # Nobody knows: it stays pending, for a person.

    def send(self, payment):
        """Sends it, again and under the same id while M-Pesa is too busy."""
        for _ in range(self.given.tries):
            payment.sent_at = time.monotonic()
            answer = self.mpesa.pay(payment.id, payment.phone, payment.amount)
            if answer == wire.REFUSED:
                payment.settle("not_paid")
            if answer != wire.LATER:
                return
            time.sleep(self.given.pause)
        payment.settle("not_paid")

    def find_out(self, payment):
        """Asks what became of it; whether that is known now."""
        result = self.ask(payment.id)
        if result is None:
            return payment.settled.is_set()
        # Two levels: the code is about the question, only TransactionStatus about the payment.
        status = result.values.get("TransactionStatus", "") if result.code == "0" else ""
        if status in PAID:
            payment.settle("paid", result.values.get("ReceiptNo", ""))
        elif status in NOT_PAID:
            payment.settle("not_paid")
        elif result.code in NOT_FOUND and self.is_too_late_to_arrive(payment):
            # Under the same id: should it have been taken after all, M-Pesa refuses this one.
            self.send(payment)
        return payment.settled.is_set()

    def is_too_late_to_arrive(self, payment):
        return time.monotonic() - payment.sent_at > self.given.window

    def ask(self, about):
        heard, result = threading.Event(), []
        id = wire.new_id()

        def hear(it):
            result.append(it)
            heard.set()

        with self.lock:
            self.questions[id] = hear
        answer = self.mpesa.ask(about, id)
        if answer in (wire.REFUSED, wire.LATER):
            return None
        heard.wait(self.given.overdue)
        return result[0] if result else None

    def hear_result(self, body, path):
        try:
            result = self.mpesa.read_result(body, path)
        except wire.Unreadable as error:
            # A real client keeps it, raw, and shows it to a person.
            print(f"a message that cannot be read: {error}", flush=True)
            return
        if not result.final:
            return  # another follows
        with self.lock:
            question, payment = self.questions.get(result.about), self.payments.get(result.about)
        if question:
            question(result)
        elif payment and result.code == "0":
            payment.settle("paid", result.receipt)
        elif payment and result.code in wire.NOT_PAID:
            payment.settle("not_paid")
        elif payment:
            payment.news.set()  # in doubt: ask

    def hear_timeout(self, body, path):
        try:
            about = self.mpesa.read_timeout(body, path)
        except wire.Unreadable:
            return
        with self.lock:
            payment = self.payments.get(about)
        if payment:
            payment.news.set()  # given up in the queue, it is said: ask

    def books(self):
        with self.lock:
            payments = list(self.payments.values())
        return [(it.reference, it.status, it.amount, it.receipt, it.phone) for it in payments]


if __name__ == "__main__":
    parser = house.arguments(__doc__.splitlines()[0])
    parser.add_argument("--overdue", type=float, default=6.0, help="seconds until one asks")
    parser.add_argument("--window", type=float, default=8.0, help="seconds that a request may be on its way")
    parser.add_argument("--questions", type=int, default=8, help="how often one asks")
    parser.add_argument("--tries", type=int, default=5, help="how often one sends while M-Pesa is busy")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between those")
    given = parser.parse_args()
    house.serve(given.listen, RightClient(house.connect(given), given))
