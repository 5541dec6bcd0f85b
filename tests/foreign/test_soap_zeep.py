"""Python's zeep: it reads the definitions that we serve, and speaks by them."""

import itertools

import pytest
import zeep
from lxml import etree
from zeep.plugins import HistoryPlugin

import partner

NOBODY = itertools.count(1)


def inner(text, namespace, name):
    """The fields of the document inside a message."""
    root = etree.fromstring(text.encode())
    assert root.tag == f"{{{namespace}}}{name}", root.tag
    return {etree.QName(child).localname: child.text for child in root}


def test_a_result_that_zeep_sends_settles_the_payout(wire):
    payout = wire.reaches(wire.pay("0722000005"), "accepted")
    client = zeep.Client(wire.callback("b2c/result") + "?wsdl")
    receipt = "ZEEP000001"
    told = client.service.GenericAPIResult(partner.result_document(payout, receipt))
    fields = inner(told, partner.RESPONSE, "response")
    assert fields == {"ResponseCode": "00000000", "ResponseDesc": "success"}
    settled = wire.reaches(payout, "succeeded", "failed")
    assert (settled["status"], settled["receipt"]) == ("succeeded", receipt)
    assert settled["recipient_name"] == "Jane & Doe"


def test_a_result_that_is_for_nobody_is_acknowledged_to_zeep_too(wire):
    client = zeep.Client(wire.callback("b2c/result") + "?wsdl")
    nobody = {
        "phone": "254722000111",
        "amount": "1.00",
        "originator_conversation_id": partner.fresh_id("nobody"),
        "conversation_id": "AG_20240102_0000000000000000abcd",
    }
    told = client.service.GenericAPIResult(partner.result_document(nobody, "ZEEP000002"))
    assert inner(told, partner.RESPONSE, "response")["ResponseCode"] == "00000000"


def header_of(wire, namespace):
    fields = partner.sp_header(wire.house.config)
    header = etree.Element(f"{{{namespace}}}RequestSOAPHeader", nsmap={"h": namespace})
    for name, value in fields.items():
        etree.SubElement(header, f"{{{namespace}}}{name}").text = value
    return header


def paid(wire, ids):
    """What the simulator's book says of a payment."""
    return wire.house.ledger(originator_conversation_id=ids)["data"]


@pytest.mark.parametrize("variant", ["as the definition says", "a", "b"])
def test_a_payment_that_zeep_asks_for_is_made_once(wire, variant):
    history = HistoryPlugin()
    client = zeep.Client(wire.broker + "?wsdl", plugins=[history])
    ids = partner.fresh_id("zeep")
    result, timeout = f"/result/{ids}", f"/timeout/{ids}"
    document = partner.payment_document(
        wire.house, ids, "150.00", "254722000111", wire.peer.url + result, wire.peer.url + timeout
    )
    if variant == "as the definition says":
        headers = {"RequestSOAPHeader": partner.sp_header(wire.house.config)}
        namespace = partner.HEADER_B
    else:
        namespace = partner.HEADER_A if variant == "a" else partner.HEADER_B
        headers = [header_of(wire, namespace)]
    told = client.service.GenericAPIRequest(document, _soapheaders=headers)
    fields = inner(getattr(told, "body", told), partner.RESPONSE, "response")
    assert fields["ResponseCode"] == "0", fields
    assert fields["OriginatorConversationID"] == ids
    sent = etree.tostring(history.last_sent["envelope"]).decode()
    assert f'"{namespace}"' in sent, sent
    [movement] = paid(wire, ids)
    assert (movement["amount"], movement["phone"]) == ("150.00", "254722000111")
    message = etree.fromstring(wire.peer.at(result))
    outer = message.find(f".//{{{partner.RESULT}}}ResultMsg")
    fields = inner(outer.text.strip(), partner.RESULT, "result")
    assert (fields["ResultCode"], fields["TransactionID"]) == ("0", movement["receipt"])


def test_a_wrong_password_and_a_second_use_of_an_id_pay_nothing(wire):
    client = zeep.Client(wire.broker + "?wsdl")
    ids = partner.fresh_id("zeep")
    document = partner.payment_document(
        wire.house, ids, "10.00", "254722000111", wire.peer.url + "/r", wire.peer.url + "/t"
    )

    def ask(**wrong):
        header = partner.sp_header(wire.house.config) | wrong
        told = client.service.GenericAPIRequest(
            document, _soapheaders={"RequestSOAPHeader": header}
        )
        return inner(getattr(told, "body", told), partner.RESPONSE, "response")["ResponseCode"]

    assert ask(spPassword="QQ==") == "100000007"
    assert paid(wire, ids) == []
    assert ask() == "0"
    assert ask() == "15"
    assert len(paid(wire, ids)) == 1


def c2b_fields(receipt):
    return {
        "TransType": "Pay Bill",
        "TransID": receipt,
        "TransTime": "20240102060405",
        "TransAmount": "2500.00",
        "BusinessShortCode": "600999",
        "BillRefNumber": "INV-77",
        "InvoiceNumber": "",
        "MSISDN": "254733123458",
        "KYCInfo": [{"KYCName": "[Personal Details][First Name]", "KYCValue": "Jane"}],
    }


@pytest.mark.parametrize("place", ["c2b/validation", "c2b/confirmation"])
def test_money_in_that_zeep_tells_of_is_taken_once(wire, place):
    client = zeep.Client(wire.callback(place) + "?wsdl")
    receipt = f"ZEEPC2B{next(NOBODY):03}"
    fields = c2b_fields(receipt)
    asked = client.service.ValidateC2BPayment(**fields)
    assert (asked["ResultCode"], asked["ThirdPartyTransID"]) == ("0", "0")
    for _again in range(2):
        told = client.service.ConfirmC2BPayment(**fields, OrgAccountBalance="12500.00")
        assert told == f"C2B Payment Transaction {receipt} result received."
    payments = wire.get(f"/v1/payments?receipt={receipt}")["data"]
    assert [(it["amount"], it["payer_name"]) for it in payments] == [("2500.00", "Jane")]
