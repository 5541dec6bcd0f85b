"""right_client.py with one mistake planted: so it is seen that each group of cases finds one out."""

import sys

import house
import wire
from right_client import NOT_PAID, PAID, Payment, RightClient


class LastWordWins(Payment):
    def settle(self, status, receipt=""):
        self.status, self.receipt = status, receipt
        self.settled.set()
        self.news.set()


class Careless(RightClient):
    def __init__(self, mpesa, given):
        super().__init__(mpesa, given)
        self.mistake = given.mistake
        self.booked = []

    def pay(self, asked):
        if self.mistake == "the-last-word-wins":
            import right_client

            right_client.Payment = LastWordWins
        super().pay(asked)

    def send(self, payment):
        mistake = self.mistake
        if mistake == "known-only-after-the-answer":
            with self.lock:
                del self.payments[payment.id]
        answer = self.mpesa.pay(payment.id, payment.phone, payment.amount)
        if mistake == "known-only-after-the-answer":
            with self.lock:
                self.payments[payment.id] = payment
        if answer == wire.TAKEN and mistake == "an-acknowledgement-is-paid":
            payment.settle("paid")
        if answer == wire.DOUBT and mistake == "doubt-is-failure":
            payment.settle("not_paid")
        if answer == wire.HELD and mistake == "held-is-failure":
            payment.settle("not_paid")
        if answer == wire.REFUSED and mistake != "a-refusal-is-open":
            payment.settle("not_paid")
        if answer == wire.LATER and mistake == "busy-is-open":
            self.given.questions = 0
        elif answer == wire.LATER:
            super().send(payment)

    def find_out(self, payment):
        if self.mistake in ("nobody-asks", "known-only-after-the-answer", "a-refusal-is-open"):
            return payment.settled.is_set()
        if self.mistake == "silence-is-failure":
            payment.settle("not_paid")
            return True
        if self.mistake == "the-question-is-the-payment":
            result = self.ask(payment.id)
            if result:
                payment.settle("paid" if result.code == "0" else "not_paid")
            return payment.settled.is_set()
        return super().find_out(payment)

    def hear_result(self, body, path):
        if self.mistake == "each-result-is-booked":
            try:
                result = self.mpesa.read_result(body, path)
            except wire.Unreadable:
                return
            with self.lock:
                payment = self.payments.get(result.about)
            if payment and payment.status != "pending":
                row = (payment.reference, payment.status, payment.amount, "", payment.phone)
                self.booked.append(row)
        if self.mistake == "the-type-is-passed-over":
            body = body.replace("<ResultType>1<", "<ResultType>0<")
            body = body.replace('"ResultType":1', '"ResultType":0')
        super().hear_result(body, path)

    def books(self):
        return super().books() + self.booked


if __name__ == "__main__":
    parser = house.arguments(__doc__.splitlines()[0])
    parser.add_argument("--mistake", required=True)
    given = parser.parse_args()
    given.overdue, given.window, given.questions = 2.0, 4.0, 3
    given.tries, given.pause = 5, 0.5
    house.serve(given.listen, Careless(house.connect(given), given))
