//! Validations and confirmations over both wires: the same notice, whatever is masked or missing;
//! and the replies, byte for byte (spec/daraja.md §2.2; spec/soap.md §7).

use mlango::daraja::{Unreadable, c2b};
use mlango::domain::account::Balance;
use mlango::domain::id::Receipt;
use mlango::domain::money::Amount;
use mlango::domain::party::PersonName;
use mlango::domain::payment::validation::Refusal;
use mlango::domain::payment::{C2bNotice, NoticeKind, PayerPhone};
use mlango::domain::time::Timestamp;
use mlango::soap::c2b as soap;

use super::sample;

const MEMBERS: &[(&str, &str)] = &[
    ("TransactionType", "Pay Bill"),
    ("TransID", "UJ34AA00ZZ"),
    ("TransTime", "20261003141555"),
    ("TransAmount", "25.00"),
    ("BusinessShortCode", "600111"),
    ("BillRefNumber", "INV-77"),
    ("InvoiceNumber", ""),
    ("OrgAccountBalance", "1025.00"),
    ("ThirdPartyTransID", ""),
    ("MSISDN", "254700000001"),
    ("FirstName", "AMINA"),
    ("MiddleName", ""),
    ("LastName", "OTIENO"),
];

fn json(members: &[(&str, &str)]) -> String {
    let pairs = members.iter().map(|(name, value)| format!("\"{name}\":\"{value}\""));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

/// The same as SOAP: `KYCInfo` instead of the names.
fn xml(message: &str, members: &[(&str, &str)]) -> String {
    let mut inside = String::new();
    for (name, value) in members {
        let kyc = match *name {
            "FirstName" => Some("First Name"),
            "MiddleName" => Some("Middle Name"),
            "LastName" => Some("Last Name"),
            _ => None,
        };
        inside.push_str(&match kyc {
            Some(kyc) => format!(
                "<KYCInfo><KYCName>[Personal Details][{kyc}]</KYCName><KYCValue>{value}</KYCValue>\
                 </KYCInfo>"
            ),
            None if *name == "TransactionType" => format!("<TransType>{value}</TransType>"),
            None => format!("<{name}>{value}</{name}>"),
        });
    }
    format!(
        "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\">\
         <soapenv:Body><ns1:{message} xmlns:ns1=\"{}\">{inside}</ns1:{message}></soapenv:Body>\
         </soapenv:Envelope>",
        mlango::soap::schema::C2B
    )
}

fn without<'a>(left_out: &[&str]) -> Vec<(&'a str, &'a str)> {
    MEMBERS.iter().copied().filter(|(name, _)| !left_out.contains(name)).collect()
}

#[test]
fn both_wires_tell_the_same() {
    let by_json = c2b::parse(json(MEMBERS).as_bytes()).expect("a notice");
    let by_xml = soap::parse(xml("C2BPaymentConfirmationRequest", MEMBERS).as_bytes());
    let by_xml = by_xml.expect("a message");
    assert_eq!(by_xml.step, soap::Step::Confirmation);
    assert_eq!(by_xml.notice, by_json);
    let validation = soap::parse(xml("C2BPaymentValidationRequest", MEMBERS).as_bytes());
    assert_eq!(validation.expect("a message").step, soap::Step::Validation);
    let C2bNotice { kind, receipt, time, amount, shortcode, account, payer, .. } = by_json;
    assert_eq!((kind, Some(receipt)), (NoticeKind::PayBill, Receipt::new("UJ34AA00ZZ")));
    let then = Timestamp::parse_rfc3339("2026-10-03T11:15:55Z").expect("a time");
    assert_eq!((time, amount), (Some(then), Amount::from_shillings(25)));
    assert_eq!((shortcode.as_str(), account.as_str()), ("600111", "INV-77"));
    let name = payer.full_name();
    assert_eq!(name.as_ref().map(PersonName::reveal), Some("AMINA OTIENO"));
}

#[test]
fn the_samples_are_read_with_phones_masked_and_hashed() {
    let phone = "254700000001".parse().expect("a phone");
    for (name, balance) in [
        ("c2b-validation", None),
        ("c2b-confirmation-v1", Some(Balance::from_cents(102_500))),
        ("c2b-confirmation-v2", Some(Balance::from_cents(102_500))),
    ] {
        let notice = c2b::parse(sample(name).as_bytes()).expect(name);
        assert_eq!(notice.balance, balance, "{name}");
        assert!(notice.payer.phone.fits(phone), "{name}");
        assert_eq!(notice.payer.phone.whole(), None, "{name}");
        assert!(!notice.payer.phone.fits("254700000002".parse().expect("a phone")), "{name}");
        let first = notice.payer.first_name.as_ref().map(PersonName::reveal);
        assert_eq!((first, &notice.payer.last_name), (Some("AMINA"), &None), "{name}");
        let shown = format!("{notice:?}");
        assert!(!shown.contains("AMINA") && !shown.contains("INV-77"), "{shown}");
    }
}

#[test]
fn everything_optional_may_be_missing_and_nothing_else() {
    let optional = [
        "TransactionType",
        "TransTime",
        "BillRefNumber",
        "InvoiceNumber",
        "OrgAccountBalance",
        "ThirdPartyTransID",
        "MSISDN",
        "FirstName",
        "MiddleName",
        "LastName",
    ];
    let bare = without(&optional);
    let notice = c2b::parse(json(&bare).as_bytes()).expect("a notice");
    let by_xml = soap::parse(xml("C2BPaymentConfirmationRequest", &bare).as_bytes());
    assert_eq!(by_xml.expect("a message").notice, notice);
    assert_eq!(notice.payer.phone, PayerPhone::None);
    assert_eq!((notice.time, notice.account.as_str(), notice.odd), (None, "", None));
    for needed in ["TransID", "TransAmount", "BusinessShortCode"] {
        let members = without(&[needed]);
        let error = c2b::parse(json(&members).as_bytes()).expect_err(needed);
        assert_eq!(error, Unreadable::Missing(needed));
        let bytes = xml("C2BPaymentConfirmationRequest", &members);
        let error = soap::parse(bytes.as_bytes()).expect_err(needed);
        assert_eq!(error, mlango::soap::Unreadable::Missing(needed));
    }
}

#[test]
fn odd_values_are_kept_and_contradictions_refused() {
    let with = |name: &str, value: &str| -> Result<C2bNotice, Unreadable> {
        let value = value.to_owned();
        let members: Vec<(&str, &str)> = MEMBERS
            .iter()
            .map(|(own, old)| (*own, if *own == name { value.as_str() } else { *old }))
            .collect();
        c2b::parse(json(&members).as_bytes())
    };
    assert_eq!(with("TransactionType", "").expect("read").kind, NoticeKind::Other(String::new()));
    let other = with("TransactionType", "Customer Merchant Payment").expect("read").kind;
    assert_eq!(other, NoticeKind::Other("Customer Merchant Payment".to_owned()));
    assert_eq!(with("TransactionType", "Buy Goods").expect("read").kind, NoticeKind::BuyGoods);
    assert_eq!(with("TransAmount", "25").expect("read").amount, Amount::from_shillings(25));
    assert!(with("TransAmount", "0.00").expect("read").odd.is_some());
    assert_eq!(with("TransTime", "yesterday").expect("read").time, None);
    assert_eq!(
        with("OrgAccountBalance", "-5").expect("read").balance,
        Some(Balance::from_cents(-500))
    );
    for amount in ["", "much", "-25.00", "25.005"] {
        assert_eq!(
            with("TransAmount", amount),
            Err(Unreadable::Missing("TransAmount")),
            "{amount}"
        );
    }
    let twice = json(MEMBERS).replace("{", "{\"TransAmount\":\"26.00\",");
    let error = c2b::parse(twice.as_bytes()).expect_err("two amounts");
    assert_eq!(error, Unreadable::Contradiction("TransAmount"));
    let twice = xml("C2BPaymentConfirmationRequest", MEMBERS)
        .replace("<TransID>", "<TransID>UJ34AA00ZY</TransID><TransID>");
    assert!(soap::parse(twice.as_bytes()).is_err());
    let numbers = json(MEMBERS).replace("\"25.00\"", "25.00").replace("\"600111\"", "600111");
    let notice = c2b::parse(numbers.as_bytes()).expect("numbers in place of texts");
    assert_eq!((notice.amount, notice.shortcode.as_str()), (Amount::from_shillings(25), "600111"));
}

#[test]
fn soap_details_are_found_by_the_end_of_their_names() {
    let kyc = "<KYCInfo><KYCName>[Personal Detail][First Name]</KYCName></KYCInfo>\
        <KYCInfo><KYCName>[Personal Details][Last Name]</KYCName><KYCValue/></KYCInfo>\
        <KYCInfo><KYCName>[Other][Colour]</KYCName><KYCValue>red</KYCValue></KYCInfo>\
        <KYCInfo><KYCName>[Personal Detail][first name]</KYCName><KYCValue>AMINA</KYCValue></KYCInfo>";
    let body =
        xml("C2BPaymentConfirmationRequest", &without(&["FirstName", "MiddleName", "LastName"]))
            .replace("</ns1:", &format!("{kyc}</ns1:"));
    let payer = soap::parse(body.as_bytes()).expect("a message").notice.payer;
    assert_eq!(payer.full_name().as_ref().map(PersonName::reveal), Some("AMINA"));
    assert!(soap::is_c2b("C2BPaymentValidationRequest") && !soap::is_c2b("ResultMsg"));
    assert!(soap::parse(b"<Envelope><Body><ResultMsg/></Body></Envelope>").is_err());
    assert!(soap::parse(b"{}").is_err());
}

#[test]
fn soap_replies_are_the_documented_bytes() {
    let head = "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
                xmlns:c2b=\"http://cps.huawei.com/cpsinterface/c2bpayment\">\n   \
                <soapenv:Header/>\n   <soapenv:Body>\n";
    let foot = "\n   </soapenv:Body>\n</soapenv:Envelope>";
    let result = |code: &str, words: &str, id: &str| {
        format!(
            "{head}      <c2b:C2BPaymentValidationResult>\n         <ResultCode>{code}</ResultCode>\n\
             \x20        <ResultDesc>{words}</ResultDesc>\n         \
             <ThirdPartyTransID>{id}</ThirdPartyTransID>\n      \
             </c2b:C2BPaymentValidationResult>{foot}"
        )
    };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    assert_eq!(text(soap::accepted(None)), result("0", "Service processing successful", "0"));
    let accepted = text(soap::accepted(Some("a<1")));
    assert_eq!(accepted, result("0", "Service processing successful", "a&lt;1"));
    assert_eq!(text(soap::rejected(Refusal::Account)), result("C2B00012", "Rejected", "0"));
    let confirmed = format!(
        "{head}      <c2b:C2BPaymentConfirmationResult>C2B Payment Transaction EXAMPLE001 result \
         received.</c2b:C2BPaymentConfirmationResult>{foot}"
    );
    assert_eq!(text(soap::confirmed("EXAMPLE001")), confirmed);
}
