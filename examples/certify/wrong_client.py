"""A client that is WRONG on purpose: what `mlango certify` is for. Never pay with it.

Its three mistakes are the ones most often made, and each looks harmless in a test that knows two
outcomes. right_client.py, beside it, makes none of them.
"""

import house
import wire

TRIES = 3


class WrongClient:
    def __init__(self, connect):
        self.connect, self.mpesa = connect, connect()
        self.rows = {}

    def pay(self, payment):
        reference, phone, amount = payment["reference"], payment["phone"], payment["amount"]
        status = "not_paid"
        mpesa = self.connect()  # and a token of its own
        for _ in range(TRIES):
            # WRONG (1): a new id for each try. M-Pesa knows a payment by its id; under a new id it
            # is another payment, and the first may have been taken though its answer was lost.
            answer = mpesa.pay(wire.new_id(), phone, amount)
            if answer == wire.TAKEN:
                # WRONG (2): "accepted for processing" is counted as paid. Only the result says
                # whether it was paid; it may well say that it was not.
                status = "paid"
                break
        # WRONG (1, again): whatever was not acknowledged is called not paid, on a guess.
        self.rows[reference] = (reference, status, amount, "", phone)

    def hear_result(self, body, path):
        # WRONG (3): results are acknowledged and thrown away: failures, duplicates, all of them.
        pass

    def hear_timeout(self, body, path):
        pass

    def books(self):
        return list(self.rows.values())


if __name__ == "__main__":
    given = house.arguments(__doc__.splitlines()[0]).parse_args()
    house.serve(given.listen, WrongClient(lambda: house.connect(given)))
