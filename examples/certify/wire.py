"""Just enough of M-Pesa's two interfaces for the clients beside it: SOAP and Daraja.

Python's standard library only. The sections named are those of the interfaces' descriptions.
"""

import base64
import hashlib
import json
import threading
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.sax.saxutils import escape

# What an answer to a request means for its sender.
TAKEN = "taken"      # M-Pesa works on it: nothing is paid yet
HELD = "held"        # it waits in M-Pesa's queue: nothing is paid yet either
REFUSED = "refused"  # certain: not taken, and never will be
LATER = "later"      # certain: not taken for now; the same may be sent again
DOUBT = "doubt"      # it may or may not have been taken

# Results that are a certain "not paid" (SOAP 5.2, Daraja 3.3). All others but 0 are in doubt.
NOT_PAID = {"1", "2", "3", "4", "5", "6", "7", "8", "11", "14", "21", "2001", "2040", "2051"}


@dataclass
class Result:
    """An asynchronous result, about a payment or about a question."""

    about: str
    code: str
    final: bool
    receipt: str = ""
    values: dict = field(default_factory=dict)


class Unreadable(Exception):
    """A message that is no result."""


def new_id():
    return "Example-" + uuid.uuid4().hex


def post(url, body, headers, timeout):
    """Posts; status and body of the answer. Raises OSError where none comes."""
    request = urllib.request.Request(url, body.encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")
    except OSError:
        raise
    except Exception as error:  # the connection broke in the middle of an answer
        raise OSError(str(error)) from error


class Soap:
    """The broker (SOAP 2, 3, 4, 5)."""

    REQUEST = "http://api-v1.gen.mm.vodafone.com/mminterface/request"
    HEADER = "http://www.huawei.com/schema/osg/common/v2_1"
    LATER_CODES = {"100000001", "100000002", "100000003", "100000011", "26"}
    DOUBT_CODES = {"15", "17", "100000004", "2001", "8006"}
    KNOWN = {f"1000000{n:02}" for n in range(5, 15)} | {
        "23", "24", "25", "30", "1001", "1002", "1003", "1004", "1005"
    }

    def __init__(self, connection, callbacks, timeout):
        self.at, self.callbacks, self.timeout = connection["soap"], callbacks, timeout

    def pay(self, id, phone, amount):
        parameters = self._pairs("Parameter", [("Amount", amount)])
        receiver = f"<ReceiverParty><IdentifierType>1</IdentifierType><Identifier>{phone}</Identifier></ReceiverParty>"
        return self._send(id, "BusinessPayment", parameters, receiver)

    def ask(self, about, id):
        """Asks what became of a payment; `id` is the question's own."""
        parameters = self._pairs("Parameter", [("OriginatorConversationID", about)])
        return self._send(id, "TransactionStatusQuery", parameters, "")

    def _pairs(self, name, pairs):
        pair = "<{0}><Key>{1}</Key><Value>{2}</Value></{0}>"
        return "".join(pair.format(name, escape(key), escape(value)) for key, value in pairs)

    def _send(self, id, command, parameters, receiver):
        at = self.at
        result, timeout = self.callbacks + "/result", self.callbacks + "/timeout"
        stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime())
        digest = hashlib.sha256((at["sp_id"] + at["sp_password"] + stamp).encode()).hexdigest()
        password = base64.b64encode(digest.upper().encode()).decode()
        inner = f"""<?xml version="1.0" encoding="UTF-8"?>
<request xmlns="{self.REQUEST}"><Transaction><CommandID>{command}</CommandID><LanguageCode></LanguageCode>\
<OriginatorConversationID>{id}</OriginatorConversationID><ConversationID></ConversationID><Remark>example</Remark>\
<Parameters>{parameters}</Parameters><ReferenceData>\
{self._pairs("ReferenceItem", [("QueueTimeoutURL", timeout)])}</ReferenceData>\
<Timestamp>{time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z", time.gmtime())}</Timestamp></Transaction><Identity><Caller>\
<CallerType>2</CallerType><ThirdPartyID></ThirdPartyID><Password></Password><CheckSum></CheckSum>\
<ResultURL>{escape(result)}</ResultURL></Caller><Initiator><IdentifierType>11</IdentifierType>\
<Identifier>{escape(at["initiator"])}</Identifier><SecurityCredential>{at["security_credential"]}</SecurityCredential>\
<ShortCode>{at["shortcode"]}</ShortCode></Initiator><PrimaryParty><IdentifierType>4</IdentifierType>\
<Identifier>{at["shortcode"]}</Identifier></PrimaryParty>{receiver}</Identity><KeyOwner>1</KeyOwner></request>"""
        envelope = f"""<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:req="{self.REQUEST}">\
<soapenv:Header><tns:RequestSOAPHeader xmlns:tns="{self.HEADER}"><tns:spId>{at["sp_id"]}</tns:spId>\
<tns:spPassword>{password}</tns:spPassword><tns:timeStamp>{stamp}</tns:timeStamp>\
<tns:serviceId>{at["service_id"]}</tns:serviceId></tns:RequestSOAPHeader></soapenv:Header>\
<soapenv:Body><req:RequestMsg><![CDATA[{inner}]]></req:RequestMsg></soapenv:Body></soapenv:Envelope>"""
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
        try:
            status, body = post(at["url"], envelope, headers, self.timeout)
            code = texts(inner_document(body, "ResponseMsg")).get("ResponseCode", "")
        except (OSError, Unreadable):
            return DOUBT
        return self._meaning(code) if status == 200 else DOUBT

    def _meaning(self, code):
        if code == "100000000":
            return HELD
        if code and not code.strip("0"):
            return TAKEN
        if code in self.LATER_CODES:
            return LATER
        return REFUSED if code in self.KNOWN and code not in self.DOUBT_CODES else DOUBT

    def read_result(self, body, path):
        document = inner_document(body, "ResultMsg")
        fields = texts(document)
        if "ResultCode" not in fields or "OriginatorConversationID" not in fields:
            raise Unreadable("no ResultCode")
        pairs = [element for element in document.iter() if local(element) == "ResultParameter"]
        values = {texts(pair).get("Key", ""): texts(pair).get("Value", "") for pair in pairs}
        final = fields.get("ResultType", "0") != "1"
        return Result(
            fields["OriginatorConversationID"], fields["ResultCode"], final,
            fields.get("TransactionID", ""), values,
        )

    def read_timeout(self, body, path):
        """Which payment the broker gave up."""
        for element in parse(body).iter():
            if local(element) == "originatorConversationID":
                return (element.text or "").strip()
        raise Unreadable("no originatorConversationID")

    ACKNOWLEDGED = (
        "text/xml; charset=utf-8",
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        f'xmlns:req="{REQUEST}"><soapenv:Header/><soapenv:Body><req:ResponseMsg><![CDATA['
        '<?xml version="1.0" encoding="UTF-8"?><response '
        'xmlns="http://api-v1.gen.mm.vodafone.com/mminterface/response">'
        "<ResponseCode>00000000</ResponseCode><ResponseDesc>success</ResponseDesc></response>"
        "]]></req:ResponseMsg></soapenv:Body></soapenv:Envelope>",
    )


class Daraja:
    """The REST API, B2C v3 (Daraja 1.1, 1.6, 1.9, 2.3)."""

    TOKEN_CODES = {"400.003.01", "401.001", "401.002.01", "401.003.01", "404.001.03"}
    LATER_CODES = {"500.003.02", "500.003.03", "00.002.1001"}

    def __init__(self, connection, callbacks, timeout):
        self.at, self.callbacks, self.timeout = connection["daraja"], callbacks, timeout
        self.token, self.lock = "", threading.Lock()

    def pay(self, id, phone, amount):
        at = self.at
        return self._send("/mpesa/b2c/v3/paymentrequest", id, {
            "OriginatorConversationID": id,
            "InitiatorName": at["initiator"],
            "SecurityCredential": at["security_credential"],
            "CommandID": "BusinessPayment",
            "Amount": amount.split(".")[0],
            "PartyA": at["shortcode"],
            "PartyB": phone,
            "Remarks": "example",
        })

    def ask(self, about, id):
        """Asks what became of a payment; `id` is the question's own."""
        at = self.at
        return self._send("/mpesa/transactionstatus/v1/query", id, {
            "Initiator": at["initiator"],
            "SecurityCredential": at["security_credential"],
            "CommandID": "TransactionStatusQuery",
            "OriginalConversationID": about,
            "PartyA": at["shortcode"],
            "IdentifierType": "4",
            "Remarks": "example",
        })

    def _send(self, path, id, fields):
        # A question has no name on this interface: its own address says whose answer comes.
        fields["ResultURL"] = f"{self.callbacks}/result/{id}"
        fields["QueueTimeOutURL"] = f"{self.callbacks}/timeout/{id}"
        try:
            token = self._token()
        except OSError:
            return LATER  # without a token nothing was sent
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        try:
            status, body = post(self.at["url"] + path, json.dumps(fields), headers, self.timeout)
        except OSError:
            return DOUBT
        return self._meaning(status, body, token)

    def _meaning(self, status, body, token):
        try:
            answer = json.loads(body)
            code = str(answer.get("ResponseCode", answer.get("errorCode", "")))
        except (ValueError, AttributeError):
            return DOUBT
        if status == 200:
            return TAKEN if code and not code.strip("0") else DOUBT
        if code in self.TOKEN_CODES:
            with self.lock:
                self.token = "" if self.token == token else self.token
            return LATER
        if code in self.LATER_CODES:
            return LATER
        return REFUSED if code.startswith("400.") else DOUBT

    def _token(self):
        with self.lock:
            if not self.token:
                pair = f"{self.at['consumer_key']}:{self.at['consumer_secret']}"
                request = urllib.request.Request(
                    self.at["url"] + "/oauth/v1/generate?grant_type=client_credentials",
                    headers={"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()},
                )
                with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                    self.token = json.loads(answer.read()).get("access_token", "")
            return self.token

    def read_result(self, body, path):
        try:
            result = json.loads(body)["Result"]
            code, about = str(result["ResultCode"]), result.get("OriginatorConversationID", "")
            final = str(result.get("ResultType", "0")) != "1"
            pairs = result.get("ResultParameters", {}).get("ResultParameter", [])
            pairs = [pairs] if isinstance(pairs, dict) else pairs
            values = {pair["Key"]: str(pair.get("Value", "")) for pair in pairs}
            receipt = str(result.get("TransactionID", ""))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unreadable(str(error)) from error
        named = path.rsplit("/", 1)[-1]
        return Result(named or about, code, final, receipt if code == "0" else "", values)

    def read_timeout(self, body, path):
        return path.rsplit("/", 1)[-1]

    ACKNOWLEDGED = ("application/json", '{"ResultCode": 0, "ResultDesc": "Accepted"}')


def parse(text):
    if "<!DOCTYPE" in text:
        raise Unreadable("a DOCTYPE")
    try:
        return ElementTree.fromstring(text.strip().encode())
    except ElementTree.ParseError as error:
        raise Unreadable(str(error)) from error


def inner_document(body, wrapper):
    """The document inside RequestMsg, ResponseMsg or ResultMsg (SOAP 9)."""
    for element in parse(body).iter():
        if local(element) == wrapper:
            return parse(element.text or "")
    raise Unreadable(f"no {wrapper}")


def local(element):
    return element.tag.rsplit("}", 1)[-1]


def texts(element):
    """Names and texts of the elements right inside."""
    return {local(child): (child.text or "").strip() for child in element}
