"""For schemathesis: each good request gets an Idempotency-Key of its own, as each of a caller's
payments does; made by chance, most keys would be those of an earlier request."""

import itertools

import schemathesis

NUMBERS = itertools.count(1)


@schemathesis.hook
def before_call(_context, case, _kwargs):
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = f"fuzz-{next(NUMBERS)}"
