"""libxml2's `xmllint`: what went over the wire, both ways, against the schemas."""

import subprocess

import pytest
import requests
from lxml import etree

import partner
from house import ROOT

XS = "{http://www.w3.org/2001/XMLSchema}"
OUTER = ("RequestMsg", "ResponseMsg", "ResultMsg")


def lint(schema, folder, documents):
    """What xmllint says against each document, by its name; nothing where it validates."""
    files = {}
    for index, (name, content) in enumerate(documents):
        path = folder / f"{index}.xml"
        path.write_bytes(content)
        files[path] = name
    done = subprocess.run(
        ["xmllint", "--noout", "--nonet", "--schema", schema, *files],
        capture_output=True,
        text=True,
    )
    lines = done.stderr.splitlines()
    return {
        name: [line for line in lines if str(path) in line]
        for path, name in files.items()
        if f"{path} validates" not in lines
    }


def documents_in(messages):
    """Each message, and the document inside, where it wraps one."""
    for nth, (name, message) in enumerate(messages):
        name = f"{nth}: {name}"
        yield name, message
        body = etree.fromstring(message).find("{*}Body")
        for child in body:
            if etree.QName(child).localname in OUTER:
                yield f"{name}, the document inside", child.text.strip().encode()


def make_traffic(wire):
    """Payouts that end in every way that the phones choose, and a customer who pays; the addresses
    for what he pays are registered with a header of the other variant."""
    endings = {"0001": "failed", "0002": "failed", "0003": "failed", "0007": "succeeded"}
    payouts = {ending: wire.pay(f"072200{ending}") for ending in [*endings, "0111"]}
    for ending, payout in payouts.items():
        wire.reaches(payout, endings.get(ending, "succeeded"))
    silent = wire.reaches(wire.pay("0722000005"), "accepted")
    wire.post(f"/v1/payouts/{silent['id']}/inquire")
    wire.reaches(silent, "succeeded")
    ids = partner.fresh_id("register")
    places = [wire.callback(f"c2b/{place}") for place in ("validation", "confirmation")]
    register(wire, ids, *places)
    bill = {
        "shortcode": "600999",
        "phone": "254733123458",
        "amount": "2500",
        "account": "INV-77",
        "kind": "paybill",
    }
    told = requests.post(f"{wire.house.sim}/sim/c2b", json=bill, timeout=30)
    assert told.status_code == 200, told.text


def register(wire, ids, validation, confirmation):
    """Asks the broker to send notices of customers' payments here, by hand-written SOAP."""
    header = partner.sp_header(wire.house.config)
    fields = "".join(f"<h:{name}>{value}</h:{name}>" for name, value in header.items())
    urls = {"ValidationURL": validation, "ConfirmationURL": confirmation}
    document = (
        f'<request xmlns="{partner.REQUEST}"><Transaction><CommandID>RegisterURL</CommandID>'
        f"<OriginatorConversationID>{ids}</OriginatorConversationID>"
        f"<Parameters>{partner.pairs('Parameter', {'ResponseType': 'Completed'})}</Parameters>"
        f"<ReferenceData>{partner.pairs('ReferenceItem', urls)}</ReferenceData>"
        "<Timestamp>20240102030405</Timestamp></Transaction><Identity><Caller>"
        "<CallerType>0</CallerType><ThirdPartyID/></Caller><Initiator><IdentifierType>1"
        "</IdentifierType><Identifier/><SecurityCredential/></Initiator><PrimaryParty>"
        "<IdentifierType>1</IdentifierType><Identifier/><ShortCode>600999</ShortCode>"
        "</PrimaryParty></Identity><KeyOwner>1</KeyOwner></request>"
    )
    envelope = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>'
        f'<h:RequestSOAPHeader xmlns:h="{partner.HEADER_B}">{fields}</h:RequestSOAPHeader>'
        f'</s:Header><s:Body><r:RequestMsg xmlns:r="{partner.REQUEST}"><![CDATA[{document}]]>'
        "</r:RequestMsg></s:Body></s:Envelope>"
    )
    # Where it is not to be done it is refused, and what is sent is no less valid.
    for place, code in (("registerURL", "00000000"), ("request", "1003")):
        told = requests.post(
            f"{wire.to_broker.url}/mminterface/{place}",
            data=envelope,
            headers={"Content-Type": "text/xml"},
            timeout=10,
        )
        assert f"<ResponseCode>{code}</ResponseCode>" in told.text, told.text


def test_what_went_over_the_wire_is_valid_both_ways(wire, tmp_path):
    make_traffic(wire)
    documents = list(documents_in(wire.messages))
    said = " ".join(name for name, _content in documents)
    for place in ("/mminterface/request", "b2c/result", "c2b/validation", "c2b/confirmation"):
        assert place in said, f"nothing went to {place}"
    assert len(documents) >= 40, f"only {len(documents)} documents"
    assert lint(ROOT / "wsdl" / "messages.xsd", tmp_path, documents) == {}


C2B = "http://cps.huawei.com/cpsinterface/c2bpayment"


@pytest.mark.parametrize(
    ("place", "namespaces"),
    [
        ("/mminterface/request", {partner.REQUEST, partner.HEADER_B}),
        ("/b2c/result", {partner.REQUEST, partner.RESULT}),
        ("/c2b/confirmation", {C2B}),
    ],
)
def test_the_schemas_that_are_served_take_the_messages(wire, tmp_path, place, namespaces):
    make_traffic(wire)
    at = wire.broker if place == "/mminterface/request" else wire.callback(place[1:])
    definition = etree.fromstring(requests.get(at + "?wsdl", timeout=10).content)
    schemas = {it.get("targetNamespace"): it for it in definition.iter(f"{XS}schema")}
    assert set(schemas) == namespaces
    messages = [(name, message) for name, message in wire.messages if name.endswith(place)]
    for nth, (namespace, schema) in enumerate(schemas.items()):
        folder = tmp_path / str(nth)
        folder.mkdir()
        path = folder / "served.xsd"
        path.write_bytes(etree.tostring(schema))
        parts = list(parts_in(namespace, messages))
        assert parts, f"no message of {namespace}"
        assert lint(path, folder, parts) == {}


def parts_in(namespace, messages):
    """What stands in a Header or a Body and is of this namespace."""
    for nth, (name, message) in enumerate(messages):
        for part in etree.fromstring(message).iterfind("{*}*/*"):
            if etree.QName(part).namespace == namespace:
                yield f"{nth}: {name}", etree.tostring(part, with_tail=False)


@pytest.mark.parametrize(
    ("what", "by"),
    [
        (b"<ResponseCode>", b"<Code>"),
        (b"mminterface/response", b"mminterface/answer"),
        (b"req:ResponseMsg", b"req:Answer"),
    ],
)
def test_a_message_that_is_not_valid_is_found(tmp_path, what, by):
    """The check itself can fail."""
    good = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
        f'xmlns:req="{partner.REQUEST}"><s:Body><req:ResponseMsg><![CDATA['
        f'<response xmlns="{partner.RESPONSE}"><ResponseCode>0</ResponseCode></response>'
        "]]></req:ResponseMsg></s:Body></s:Envelope>"
    ).encode()
    schema = ROOT / "wsdl" / "messages.xsd"
    assert lint(schema, tmp_path, documents_in([("good", good)])) == {}
    bad = good.replace(what, by).replace(what.replace(b"<", b"</"), by.replace(b"<", b"</"))
    assert lint(schema, tmp_path, documents_in([("bad", bad)])) != {}
