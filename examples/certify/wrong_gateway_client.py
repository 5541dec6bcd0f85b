"""A client of the gateway's REST API that is WRONG on purpose. Never pay with it.

The gateway pays once for each Idempotency-Key, whatever happens. It cannot help those who change
the key.
"""

import uuid

import gateway_adapter

TRIES = 3


class WrongClient:
    def __init__(self, gateway, rail):
        self.gateway, self.rail = gateway, rail
        self.rows = {}

    def pay(self, asked):
        body = {name: asked[name] for name in ("reference", "phone", "amount", "command")}
        status = "not_paid"
        for _ in range(TRIES):
            # WRONG (1): a new key for each try: each is another payout.
            answered, _ = self.gateway.call("/v1/payouts", uuid.uuid4().hex, body)
            if answered == 202:
                # WRONG (2): 202 says that the payout is on disk, not that it is paid.
                status = "paid"
                break
        self.rows[asked["reference"]] = (asked["reference"], status, asked["amount"], "", asked["phone"])

    def books(self):
        # WRONG (3): nobody ever looks at what became of the payouts.
        return list(self.rows.values())


if __name__ == "__main__":
    gateway_adapter.main(__doc__.splitlines()[0], WrongClient)
