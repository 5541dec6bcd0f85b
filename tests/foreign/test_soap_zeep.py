"""Python's zeep: it reads the definitions that we serve, and speaks by them."""

import itertools

import pytest
import zeep
from lxml import etree
from zeep.plugins import HistoryPlugin

import partner

NOBODY = itertools.count(1)


def test_a_result_that_zeep_sends_settles_the_payout(wire):
    payout = wire.reaches(wire.pay("0722000005"), "accepted")
    client = zeep.Client(wire.callback("b2c/result") + "?wsdl")
    receipt = "ZEEP000001"
    told = client.service.GenericAPIResult(partner.result_document(payout, receipt))
    fields = partner.inner(told, partner.RESPONSE, "response")
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
    assert partner.inner(told, partner.RESPONSE, "response")["ResponseCode"] == "00000000"


def header_of(wire, namespace):
    fields = partner.sp_header(wire.house.config)
    header = etree.Element(f"{{{namespace}}}RequestSOAPHeader", nsmap={"h": namespace})
    for name, value in fields.items():
        etree.SubElement(header, f"{{{namespace}}}{name}").text = value
    return header


@pytest.mark.parametrize("variant", ["as the definition says", "a", "b"])
def test_a_payment_that_zeep_asks_for_is_made_once(wire, variant):
    history = HistoryPlugin()
    client = zeep.Client(wire.broker + "?wsdl", plugins=[history])
    ids = partner.fresh_id("zeep")
    document = partner.payment_document(wire.house, ids, "150.00", f"{wire.peer.url}/{ids}")
    if variant == "as the definition says":
        headers = {"RequestSOAPHeader": partner.sp_header(wire.house.config)}
        namespace = partner.HEADER_B
    else:
        namespace = partner.HEADER_A if variant == "a" else partner.HEADER_B
        headers = [header_of(wire, namespace)]
    told = client.service.GenericAPIRequest(document, _soapheaders=headers)
    fields = partner.inner(getattr(told, "body", told), partner.RESPONSE, "response")
    assert fields["ResponseCode"] == "0", fields
    assert fields["OriginatorConversationID"] == ids
    sent = etree.tostring(history.last_sent["envelope"]).decode()
    assert f'"{namespace}"' in sent, sent
    [movement] = wire.house.paid(ids)
    assert (movement["amount"], movement["phone"]) == ("150.00", partner.PHONE)
    fields = partner.told_result(wire.peer.at(f"/{ids}"))
    assert (fields["ResultCode"], fields["TransactionID"]) == ("0", movement["receipt"])


def test_a_wrong_password_and_a_second_use_of_an_id_pay_nothing(wire):
    client = zeep.Client(wire.broker + "?wsdl")
    ids = partner.fresh_id("zeep")
    document = partner.payment_document(wire.house, ids, "10.00", f"{wire.peer.url}/{ids}")

    def ask(**wrong):
        header = partner.sp_header(wire.house.config) | wrong
        told = client.service.GenericAPIRequest(
            document, _soapheaders={"RequestSOAPHeader": header}
        )
        return partner.inner(getattr(told, "body", told), partner.RESPONSE, "response")["ResponseCode"]

    assert ask(spPassword="QQ==") == "100000007"
    assert wire.house.paid(ids) == []
    assert ask() == "0"
    assert ask() == "15"
    assert len(wire.house.paid(ids)) == 1


@pytest.mark.parametrize("place", ["c2b/validation", "c2b/confirmation"])
def test_money_in_that_zeep_tells_of_is_taken_once(wire, place):
    client = zeep.Client(wire.callback(place) + "?wsdl")
    receipt = f"ZEEPC2B{next(NOBODY):03}"
    fields = partner.c2b_notice(receipt)
    asked = client.service.ValidateC2BPayment(**fields)
    assert (asked["ResultCode"], asked["ThirdPartyTransID"]) == ("0", "0")
    for _again in range(2):
        told = client.service.ConfirmC2BPayment(**fields, OrgAccountBalance="12500.00")
        assert told == f"C2B Payment Transaction {receipt} result received."
    payments = wire.get(f"/v1/payments?receipt={receipt}")["data"]
    assert [(it["amount"], it["payer_name"]) for it in payments] == [("2500.00", "Jane")]
