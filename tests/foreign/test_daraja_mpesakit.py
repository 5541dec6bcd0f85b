"""`mpesakit` from PyPI: a Daraja client for Python, unchanged, against the simulator.

It knows M-Pesa's own two hosts only; its attribute `base_url` is set to the simulator's address. What
the simulator answers and tells is read by the package's own models, which refuse what Daraja would
not send.
"""

import json

import pytest
import requests
from mpesakit import MpesaClient
from mpesakit.b2c import B2CCommandIDType
from mpesakit.errors import MpesaApiException
from mpesakit.security.get_credential import generate_security_credential

import partner
from house import House
from tap import Peer

SHORTCODE, PROMPTED = 600999, 174379
TAKEN = json.dumps({"ResultCode": 0, "ResultDesc": "Accepted"}).encode()


class Shop:
    """A simulator, the package as its client, and whoever is called back."""

    def __init__(self, folder):
        self.house = House(folder).simulate()
        self.peer = Peer("application/json", TAKEN)
        daraja = self.house.config["daraja"]
        self.client = MpesaClient(daraja["consumer_key"], daraja["consumer_secret"])
        self.client.http_client.base_url = self.house.sim
        self.passkey = daraja["passkey"]
        self.credential = partner.security_credential(self.house.config, folder)

    def who(self, at, **other):
        """What every request has that an operator makes."""
        common = {
            "security_credential": self.credential,
            "result_url": self.peer.url + at,
            "queue_timeout_url": self.peer.url + at + "/late",
            "remarks": "Fare and food",
        }
        return common | other

    def told(self, at):
        return json.loads(self.peer.at(at))

    def pays(self, amount, account):
        """A customer pays by himself: the package has no call for that."""
        body = {
            "shortcode": str(SHORTCODE),
            "phone": partner.PHONE,
            "amount": str(amount),
            "account": account,
            "kind": "paybill",
        }
        told = requests.post(f"{self.house.sim}/sim/c2b", json=body, timeout=30)
        assert told.status_code == 200, told.text


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    shop = Shop(tmp_path_factory.mktemp("mpesakit"))
    yield shop
    shop.house.end()
    shop.peer.end()


def test_a_token_is_given_for_the_right_keys_only(shop):
    assert shop.client.token_manager.get_token()
    wrong = MpesaClient("not-a-key", "not-a-secret")
    wrong.http_client.base_url = shop.house.sim
    with pytest.raises(MpesaApiException):
        wrong.token_manager.get_token()


def push(shop, at, phone=partner.PHONE):
    return shop.client.stk_push(
        business_short_code=PROMPTED,
        transaction_type="CustomerPayBillOnline",
        amount=10,
        party_a=phone,
        party_b=str(PROMPTED),
        phone_number=phone,
        callback_url=shop.peer.url + at,
        account_reference="ORDER001",
        transaction_desc="Subscription",
        passkey=shop.passkey,
    )


def query(shop, pushed):
    return shop.client.stk_query(
        business_short_code=PROMPTED,
        checkout_request_id=pushed.CheckoutRequestID,
        passkey=shop.passkey,
    )


@pytest.mark.parametrize(
    ("phone", "code"), [(partner.PHONE, 0), ("254722000010", 1032), ("254722000003", 1)]
)
def test_a_prompt_is_answered_called_back_and_asked_about(shop, phone, code):
    at = f"/stk/{code}"
    pushed = push(shop, at, phone)
    assert pushed.is_successful()
    callback = shop.client.process_stk_callback(shop.told(at)).Body.stkCallback
    assert callback.CheckoutRequestID == pushed.CheckoutRequestID
    assert int(callback.ResultCode) == code
    told = query(shop, pushed)
    assert (told.CheckoutRequestID, int(told.ResultCode)) == (pushed.CheckoutRequestID, code)


def test_a_payout_is_made_once_for_one_name(shop):
    def pay():
        return shop.client.b2c.send_payment(
            originator_conversation_id="mpesakit-payout-1",
            initiator_name="apiop",
            command_id=B2CCommandIDType.BusinessPayment,
            amount=1500,
            party_a=str(SHORTCODE),
            party_b=partner.PHONE,
            occasion="March",
            **shop.who("/b2c"),
        )

    taken = pay()
    assert taken.is_successful()
    # The package's own model of this result wants a list where M-Pesa sends an object.
    result = shop.told("/b2c")["Result"]
    assert (int(result["ResultCode"]), result["ConversationID"]) == (0, taken.ConversationID)
    with pytest.raises(MpesaApiException):
        pay()
    [movement] = shop.house.paid("mpesakit-payout-1")
    assert (movement["amount"], movement["receipt"]) == ("1500.00", result["TransactionID"])


def test_a_customers_payment_is_validated_confirmed_looked_up_and_given_back(shop):
    registered = shop.client.c2b.register_url(
        short_code=SHORTCODE,
        response_type="Completed",
        confirmation_url=shop.peer.url + "/confirmation",
        validation_url=shop.peer.url + "/validation",
    )
    assert registered.is_successful()
    shop.pays(250, "INV-77")
    assert shop.told("/validation")["BillRefNumber"] == "INV-77"
    confirmation = shop.told("/confirmation")
    receipt = confirmation["TransID"]
    asked = shop.client.transactions.query_status(
        initiator="apiop",
        transaction_id=receipt,
        party_a=SHORTCODE,
        identifier_type=4,
        occasion="Audit",
        **shop.who("/status"),
    )
    assert asked.is_successful()
    # As above: its model of this result wants a list, too.
    assert int(shop.told("/status")["Result"]["ResultCode"]) == 0
    reversed_ = shop.client.reversal.reverse(
        initiator="apiop",
        transaction_id=receipt,
        amount=250,
        receiver_party=SHORTCODE,
        occasion="Refund",
        **shop.who("/reversal"),
    )
    assert reversed_.is_successful()
    # Its model of this one wants texts where M-Pesa sends numbers as well.
    result = shop.told("/reversal")["Result"]
    assert int(result["ResultCode"]) == 0
    [movement] = shop.house.ledger(receipt=receipt)["data"]
    assert movement["reversed_by"] == result["TransactionID"]


def balance(shop, at, **other):
    return shop.client.balance.query(
        initiator="apiop",
        command_id="AccountBalance",
        party_a=SHORTCODE,
        identifier_type=4,
        **shop.who(at, **other),
    )


def test_the_balance_is_told(shop):
    assert balance(shop, "/balance").is_successful()
    result = shop.client.process_account_balance_callback(shop.told("/balance")).Result
    assert int(result.ResultCode) == 0
    assert "Utility Account|KES|" in json.dumps(shop.told("/balance"))


def test_its_own_credential_is_refused_because_a_time_is_in_it(shop):
    """The package encrypts the password with the time behind it, which M-Pesa's page does not ask
    for: whoever uses that gets 2001, here as there."""
    organisation = shop.house.config["organisation"]
    made = generate_security_credential(
        organisation["initiator_password"],
        cert_path=str(shop.house.folder / organisation["credential_certificate"]),
    )
    assert balance(shop, "/refused", security_credential=made).is_successful()
    assert int(shop.told("/refused")["Result"]["ResultCode"]) == 2001
