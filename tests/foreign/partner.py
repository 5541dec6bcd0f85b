"""What a partner of M-Pesa's computes and writes by itself, from the interface's description alone.

Nothing here knows the gateway's code: were both wrong in the same way, no test of ours would say so.
"""

import base64
import datetime
import hashlib
import uuid
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

REQUEST = "http://api-v1.gen.mm.vodafone.com/mminterface/request"
RESPONSE = "http://api-v1.gen.mm.vodafone.com/mminterface/response"
RESULT = "http://api-v1.gen.mm.vodafone.com/mminterface/result"
HEADER_A = "http://www.huawei.com/schema/osg/common/v2_1"
HEADER_B = "http://www.huawei.com.cn/schema/common/v2_1"

PHONE = "254722000111"
"""Somebody who is paid."""

ACKNOWLEDGED = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    f'<ResponseMsg xmlns="{REQUEST}">&lt;response xmlns="{RESPONSE}"&gt;'
    "&lt;ResponseCode&gt;00000000&lt;/ResponseCode&gt;"
    "&lt;ResponseDesc&gt;success&lt;/ResponseDesc&gt;&lt;/response&gt;"
    "</ResponseMsg></s:Body></s:Envelope>"
)


def sp_header(config):
    """The four fields of RequestSOAPHeader, hashed now."""
    broker = config["broker"]
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%d%H%M%S")
    words = broker["sp_id"] + broker["sp_password"] + stamp
    digest = hashlib.sha256(words.encode()).hexdigest().upper()
    return {
        "spId": broker["sp_id"],
        "spPassword": base64.b64encode(digest.encode()).decode(),
        "serviceId": broker["service_id"],
        "timeStamp": stamp,
    }


def security_credential(config, folder):
    """The initiator's password under M-Pesa's certificate: RSA, PKCS#1 v1.5, base64."""
    organisation = config["organisation"]
    path = folder / organisation["credential_certificate"]
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    secret = organisation["initiator_password"].encode()
    return base64.b64encode(certificate.public_key().encrypt(secret, padding.PKCS1v15())).decode()


def pairs(kind, items):
    """Key and Value, as both documents have them."""
    return "".join(
        f"<{kind}><Key>{escape(key)}</Key><Value>{escape(value)}</Value></{kind}>"
        for key, value in items.items()
    )


def payment_document(house, ids, amount, tell, credential=None):
    """The document inside RequestMsg of one BusinessPayment; its result goes to `tell`."""
    organisation = house.config["organisation"]
    code = organisation["shortcode"]
    credential = credential or security_credential(house.config, house.folder)
    party = lambda kind, name: f"<IdentifierType>{kind}</IdentifierType><Identifier>{name}</Identifier>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<request xmlns="{REQUEST}"><Transaction><CommandID>BusinessPayment</CommandID>'
        f"<LanguageCode/><OriginatorConversationID>{ids}</OriginatorConversationID>"
        "<ConversationID/><Remark>Fare &amp; food</Remark>"
        f"<Parameters>{pairs('Parameter', {'Amount': amount})}</Parameters>"
        f"<ReferenceData>{pairs('ReferenceItem', {'QueueTimeoutURL': tell + '/late'})}</ReferenceData>"
        "<Timestamp>2024-01-02T03:04:05.0000000Z</Timestamp></Transaction>"
        "<Identity><Caller><CallerType>2</CallerType><ThirdPartyID/><Password/><CheckSum/>"
        f"<ResultURL>{escape(tell)}</ResultURL></Caller>"
        f"<Initiator>{party(11, organisation['initiator'])}"
        f"<SecurityCredential>{credential}</SecurityCredential>"
        f"<ShortCode>{code}</ShortCode></Initiator>"
        f"<PrimaryParty>{party(4, code)}<ShortCode>{code}</ShortCode></PrimaryParty>"
        f"<ReceiverParty>{party(1, PHONE)}</ReceiverParty></Identity>"
        "<KeyOwner>1</KeyOwner></request>"
    )


def c2b_notice(receipt):
    """What M-Pesa asks and says of one customer's payment, in the order of the schema."""
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


def result_document(payout, receipt):
    """The document inside ResultMsg that says that a payout was paid."""
    parameters = {
        "TransactionReceipt": receipt,
        "TransactionAmount": payout["amount"],
        "TransactionCompletedDateTime": "02.01.2024 06:04:05",
        "ReceiverPartyPublicName": f"{payout['phone']} - Jane & Doe",
        "B2CRecipientIsRegisteredCustomer": "Y",
    }
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<result xmlns="{RESULT}"><ResultType>0</ResultType><ResultCode>0</ResultCode>'
        "<ResultDesc>The service request is processed successfully.</ResultDesc>"
        f"<OriginatorConversationID>{payout['originator_conversation_id']}</OriginatorConversationID>"
        f"<ConversationID>{payout['conversation_id']}</ConversationID>"
        f"<TransactionID>{receipt}</TransactionID>"
        f"<ResultParameters>{pairs('ResultParameter', parameters)}</ResultParameters></result>"
    )


def inner(text, namespace, name):
    """The fields of the document inside a message, which must have this root."""
    root = etree.fromstring(text.strip().encode())
    assert root.tag == f"{{{namespace}}}{name}", root.tag
    return {etree.QName(child).localname: child.text for child in root}


def told_result(message):
    """The fields of the result inside an envelope."""
    outer = etree.fromstring(message).find(f".//{{{RESULT}}}ResultMsg")
    return inner(outer.text, RESULT, "result")


def fresh_id(name):
    """An OriginatorConversationID that nobody used."""
    return f"600999_{name}_{uuid.uuid4().hex[:12]}"
