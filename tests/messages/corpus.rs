//! Messages that are to the schema, by name.

use std::fs;
use std::path::{Path, PathBuf};

use mlango::soap::envelope::{self, Envelope};
use mlango::soap::xml;

/// A place in the project.
pub fn place(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub const C2B: [(&str, &str); 2] = [
    (
        "c2b-validation",
        r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">
<s:Body>
<c2b:C2BPaymentValidationRequest xmlns:c2b="http://cps.huawei.com/cpsinterface/c2bpayment">
<TransType>Pay Bill</TransType>
<TransID>SAB1EXAMPLE</TransID>
<TransTime>20240102030405</TransTime>
<TransAmount>10.00</TransAmount>
<BusinessShortCode>600999</BusinessShortCode>
<BillRefNumber>INV-1</BillRefNumber>
<MSISDN>254722000111</MSISDN>
<KYCInfo><KYCName>[Personal Details][First Name]</KYCName><KYCValue>Jane</KYCValue></KYCInfo>
</c2b:C2BPaymentValidationRequest>
</s:Body>
</s:Envelope>"#,
    ),
    (
        "c2b-confirmation",
        r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">
<s:Header/>
<s:Body>
<c2b:C2BPaymentConfirmationRequest xmlns:c2b="http://cps.huawei.com/cpsinterface/c2bpayment">
<TransType>Pay Bill</TransType>
<TransID>SAB1EXAMPLE</TransID>
<TransTime>20240102030405</TransTime>
<TransAmount>10.00</TransAmount>
<BusinessShortCode>600999</BusinessShortCode>
<BillRefNumber>INV-1</BillRefNumber>
<OrgAccountBalance>1234.00</OrgAccountBalance>
<MSISDN>254722000111</MSISDN>
<KYCInfo><KYCName>[Personal Details][First Name]</KYCName><KYCValue>Jane</KYCValue></KYCInfo>
<KYCInfo><KYCName>[Personal Details][Last Name]</KYCName></KYCInfo>
</c2b:C2BPaymentConfirmationRequest>
</s:Body>
</s:Envelope>"#,
    ),
];

/// The golden messages, and those of money in.
pub fn enveloped() -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = C2B.map(|(n, t)| (n.to_owned(), t.to_owned())).to_vec();
    for entry in fs::read_dir(place("tests/golden")).expect("golden messages") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|end| end == "xml") {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            all.push((name, fs::read_to_string(path).expect("a message")));
        }
    }
    all.sort();
    assert!(all.len() >= 16, "{} messages", all.len());
    all
}

/// The documents inside them.
pub fn inner() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, text) in enveloped() {
        let opened = Envelope::open(&text).expect("an envelope");
        for (message, root) in
            [("RequestMsg", "request"), ("ResponseMsg", "response"), ("ResultMsg", "result")]
        {
            if let Ok(message) = opened.message(message) {
                envelope::document(message, root).expect("a document");
                let document = xml::without_prolog(&message.text).to_owned();
                all.push((format!("{root} of {name}"), document));
            }
        }
    }
    all
}
