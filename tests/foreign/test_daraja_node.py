"""`mpesa-api` from npm: a Daraja client for Node, unchanged, against the simulator."""

import json

import pytest

import partner
from house import House
from tap import Peer

TAKEN = json.dumps({"ResultCode": 0, "ResultDesc": "Accepted"}).encode()
PHONE = partner.PHONE


class Shop:
    """A simulator, the package as its client, and whoever is called back."""

    def __init__(self, folder, node):
        self.house = House(folder).simulate()
        self.peer = Peer("application/json", TAKEN)
        self.node = node

    def call(self, *calls):
        """What the package was answered to each call."""
        organisation, daraja = (self.house.config[it] for it in ("organisation", "daraja"))
        credentials = {
            "clientKey": daraja["consumer_key"],
            "clientSecret": daraja["consumer_secret"],
            "initiatorPassword": organisation["initiator_password"],
            "certificatePath": str(self.house.folder / organisation["credential_certificate"]),
        }
        return self.node("daraja.cjs", url=self.house.sim, credentials=credentials, calls=calls)

    def back(self, at):
        """Where results and timeouts go."""
        return {"ResultURL": self.peer.url + at, "QueueTimeOutURL": self.peer.url + at + "/late"}

    def told(self, at):
        return json.loads(self.peer.at(at))


@pytest.fixture(scope="module")
def shop(tmp_path_factory, node):
    shop = Shop(tmp_path_factory.mktemp("mpesa-api"), node)
    yield shop
    shop.house.end()
    shop.peer.end()


def code(told):
    """The code of a result, whether it came as a number or as a text."""
    return int(told["Result"]["ResultCode"])


def test_a_prompt_is_answered_called_back_and_asked_about(shop):
    passkey = shop.house.config["daraja"]["passkey"]
    push = {
        "BusinessShortCode": 174379,
        "passKey": passkey,
        "TransactionType": "CustomerPayBillOnline",
        "TransactionDesc": "Subscription",
        "PartyA": PHONE,
        "PartyB": "174379",
        "Amount": 10,
        "AccountReference": "ORDER001",
        "CallBackURL": shop.peer.url + "/stk",
        "PhoneNumber": PHONE,
    }
    [pushed] = shop.call(("lipaNaMpesaOnline", push))
    assert pushed["answer"]["ResponseCode"] == "0", pushed
    checkout = pushed["answer"]["CheckoutRequestID"]
    callback = shop.told("/stk")["Body"]["stkCallback"]
    assert (callback["CheckoutRequestID"], callback["ResultCode"]) == (checkout, 0)
    ask = {"BusinessShortCode": 174379, "passKey": passkey, "CheckoutRequestID": checkout}
    [asked] = shop.call(("lipaNaMpesaQuery", ask))
    assert asked["answer"]["ResultCode"] == "0", asked


def test_a_payout_is_paid_and_told(shop):
    pay = {
        "Initiator": "apiop",
        "CommandID": "BusinessPayment",
        "Amount": 1500,
        "PartyA": "600999",
        "PartyB": PHONE,
        "Remarks": "March commission",
        "Occasion": "March",
    } | shop.back("/b2c")
    [paid] = shop.call(("b2c", pay))
    assert paid["answer"]["ResponseCode"] == "0", paid
    told = shop.told("/b2c")
    assert (code(told), told["Result"]["ConversationID"]) == (0, paid["answer"]["ConversationID"])
    [movement] = shop.house.ledger(receipt=told["Result"]["TransactionID"])["data"]
    assert (movement["amount"], movement["phone"]) == ("1500.00", PHONE)


def test_a_customers_payment_is_confirmed_looked_up_and_given_back(shop):
    register = {
        "ShortCode": 600999,
        "ResponseType": "Completed",
        "ConfirmationURL": shop.peer.url + "/confirmation",
        "ValidationURL": shop.peer.url + "/validation",
    }
    pay = {
        "ShortCode": 600999,
        "CommandID": "CustomerPayBillOnline",
        "Amount": 250,
        "Msisdn": int(PHONE),
        "BillRefNumber": "INV-77",
    }
    registered, simulated = shop.call(("c2bRegister", register), ("c2bSimulate", pay))
    assert registered["answer"]["ResponseCode"] == "0", registered
    assert simulated["answer"]["ResponseCode"] == "0", simulated
    assert shop.told("/validation")["BillRefNumber"] == "INV-77"
    receipt = shop.told("/confirmation")["TransID"]
    look_up = {
        "Initiator": "apiop",
        "TransactionID": receipt,
        "PartyA": "600999",
        "IdentifierType": "4",
    } | shop.back("/status")
    give_back = {
        "Initiator": "apiop",
        "TransactionID": receipt,
        "Amount": 250,
        "ReceiverParty": "600999",
        "RecieverIdentifierType": "11",
    } | shop.back("/reversal")
    answers = shop.call(("transactionStatus", look_up), ("reversal", give_back))
    assert [it["answer"]["ResponseCode"] for it in answers] == ["0", "0"], answers
    assert code(shop.told("/status")) == 0
    told = shop.told("/reversal")
    assert code(told) == 0
    [movement] = shop.house.ledger(receipt=receipt)["data"]
    assert movement["reversed_by"] == told["Result"]["TransactionID"]


def test_the_balance_is_told(shop):
    ask = {"Initiator": "apiop", "PartyA": "600999", "IdentifierType": "4"}
    [asked] = shop.call(("accountBalance", ask | shop.back("/balance")))
    assert asked["answer"]["ResponseCode"] == "0", asked
    assert code(shop.told("/balance")) == 0


def test_a_refusal_reaches_the_client_as_daraja_words_it(shop):
    [asked] = shop.call(("c2bSimulate", {"ShortCode": 600999, "CommandID": "Nothing"}))
    assert asked["status"] == 400, asked
    assert asked["error"]["errorCode"] == "400.002.02", asked
