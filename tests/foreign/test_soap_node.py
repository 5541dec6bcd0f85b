"""Node's `soap`: the same definitions and messages, read and written by another library."""

import pytest

import partner

CREDENTIAL = "CREDENTIAL-COMES-HERE"


def test_a_result_that_node_sends_settles_the_payout(wire, node):
    payout = wire.reaches(wire.pay("0722000005"), "accepted")
    receipt = "NODE000001"
    done = node(
        "soap.cjs",
        wsdl=wire.callback("b2c/result") + "?wsdl",
        operation="GenericAPIResult",
        given=partner.result_document(payout, receipt),
    )
    # This library reads the document inside by itself.
    assert done["told"] == {"response": {"ResponseCode": "00000000", "ResponseDesc": "success"}}
    settled = wire.reaches(payout, "succeeded", "failed")
    assert (settled["status"], settled["receipt"]) == ("succeeded", receipt)
    assert settled["recipient_name"] == "Jane & Doe"


@pytest.mark.parametrize("namespace", [partner.HEADER_A, partner.HEADER_B])
def test_a_payment_that_node_asks_for_is_made_once(wire, node, namespace):
    ids = partner.fresh_id("node")
    config = wire.house.config
    broker, organisation = config["broker"], config["organisation"]
    certificate = wire.house.folder / organisation["credential_certificate"]
    ask = {
        "wsdl": wire.broker + "?wsdl",
        "operation": "GenericAPIRequest",
        "given": partner.payment_document(
            wire.house, ids, "150.00", f"{wire.peer.url}/{ids}", CREDENTIAL
        ),
        "header": namespace,
        "partner": {
            "id": broker["sp_id"],
            "password": broker["sp_password"],
            "service": broker["service_id"],
        },
        "initiator": {
            "certificate": str(certificate),
            "password": organisation["initiator_password"],
        },
    }
    done = node("soap.cjs", **ask)
    assert f'"{namespace}"' in done["sent"], done["sent"]
    answer = done["told"]["response"]
    assert (answer["ResponseCode"], answer["OriginatorConversationID"]) == ("0", ids)
    [movement] = wire.house.paid(ids)
    assert (movement["amount"], movement["phone"]) == ("150.00", partner.PHONE)
    fields = partner.told_result(wire.peer.at(f"/{ids}"))
    assert (fields["ResultCode"], fields["TransactionID"]) == ("0", movement["receipt"])
    again = node("soap.cjs", **ask)
    assert again["told"]["response"]["ResponseCode"] == "15"
    assert len(wire.house.paid(ids)) == 1


def test_money_in_that_node_tells_of_is_taken_once(wire, node):
    receipt = "NODEC2B001"
    notice = partner.c2b_notice(receipt)

    def call(place, operation, given):
        return node(
            "soap.cjs", wsdl=wire.callback(place) + "?wsdl", operation=operation, given=given
        )["told"]

    asked = call("c2b/validation", "ValidateC2BPayment", notice)
    assert (asked["ResultCode"], asked["ThirdPartyTransID"]) == ("0", "0")
    # This library writes fields in the order in which they are given, whatever the schema says.
    confirmation = {}
    for name, value in notice.items():
        if name == "MSISDN":
            confirmation["OrgAccountBalance"] = "12500.00"
        confirmation[name] = value
    for _again in range(2):
        told = call("c2b/confirmation", "ConfirmC2BPayment", confirmation)
        assert told == f"C2B Payment Transaction {receipt} result received."
    payments = wire.get(f"/v1/payments?receipt={receipt}")["data"]
    assert [(it["amount"], it["payer_name"]) for it in payments] == [("2500.00", "Jane")]
