//! The collection as such: complete, in order, and read by our own parsers as each exchange says.

use std::collections::BTreeSet;

use mlango::fixture::conformity::Judge;
use mlango::fixture::{Direction, Fixture, check, exchange, reading};
use mlango::schema::deviation;

use crate::shipped;

/// Every `ResponseCode` of spec/soap.md §4.2.
const ANSWERS: &str = "0 00000000 000000000 100000000 100000001 100000002 100000003 100000004 \
    100000005 100000006 100000007 100000008 100000009 100000010 100000011 100000012 100000013 \
    100000014 15 17 23 24 25 26 1001 1002 1003 1004 1005";
/// Result codes of spec/soap.md §5.2 and §5.3, at least one of each class and each blame.
const RESULTS: &str = "0 00000000 1 2 3 4 5 6 7 8 11 14 15 17 19 21 49 1001 2001 2006 2008 2020 \
    2025 2028 2029 2033 2040 2051 8006 SFC_IC0003 R000001 R000002 TP40153 18 24 25 26 100000000";
/// Every `ResultCode` of spec/daraja.md §3.1.
const PROMPTS: &str = "0 1 2 3 4 8 17 26 1001 1019 1025 9999 1032 1031 1037 2001 2028 8006 \
    SFC_IC0003 4999";
/// Every B2C and B2B command, and every question, of spec/soap.md §3.3 and spec/daraja.md §1.
const COMMANDS: &str = "SalaryPayment BusinessPayment PromotionPayment \
    SalaryPaymentWithWithdrawalChargePaid BusinessPaymentWithWithdrawalChargePaid \
    TransferFromBankToCustomer BusinessPayBill BusinessBuyGoods DisburseFundsToBusiness \
    BusinessToBusinessTransfer BusinessTransferFromMMFToUtility BusinessTransferFromUtilityToMMF \
    MerchantToMerchantTransfer MerchantServicesMMFAccountTransfer \
    MerchantTransferFromMerchantToWorking MerchantTransferFromWorkingToMerchant AgencyFloatAdvance \
    OrgBankAccountWithdrawal OrgRevenueSettlement AgentToSPWithdrawalsHoldingTransfer \
    AccountBalance TransactionStatusQuery TransactionReversal QueryCustomerKYC RegisterURL \
    BusinessPayToPochi BusinessPayToBulk PayTaxToKRA CustomerPayBillOnline";

#[test]
fn nothing_is_wrong_with_the_collection_and_our_parsers_read_it_as_it_says() {
    let fixtures = shipped();
    assert!(fixtures.len() >= 60, "{} exchanges", fixtures.len());
    let faults = check::check(&fixtures);
    let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(words.is_empty(), "{}", words.join("\n"));
}

#[test]
fn each_says_what_it_shows_where_that_stands_and_what_must_be_read() {
    for Fixture { name, exchange, .. } in shipped() {
        assert!(exchange.shows.len() >= 10, "{name}");
        let spec = exchange.spec.unwrap_or_default();
        assert!(spec.starts_with("soap.md §") || spec.starts_with("daraja.md §"), "{name}: {spec}");
        let wire = if spec.starts_with("soap") { "soap-" } else { "daraja-" };
        assert!(name.starts_with(wire), "{name}: {spec}");
        let reads = exchange.reads.unwrap_or_default();
        assert!(reads.message.is_some(), "{name}: what is it?");
        let is_open = matches!(reads.message.as_deref(), Some("other"));
        let is_coded = reads.code.as_deref().is_some_and(|code| code.starts_with("pull."));
        assert!(reads.outcome.is_some() || is_open || is_coded, "{name}: what follows from it?");
    }
}

fn codes(fixtures: &[Fixture], of: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let read = fixtures.iter().map(reading::read).filter(|reading| of(reading.message));
    read.filter_map(|reading| reading.code).collect()
}

#[test]
fn every_code_and_command_of_the_wire_has_one() {
    let fixtures = shipped();
    let results = codes(&fixtures, |message| message == "result" || message == "status result");
    let table = [
        (ANSWERS, codes(&fixtures, |message| message == "answer")),
        (RESULTS, results),
        (PROMPTS, codes(&fixtures, |message| message == "prompt callback")),
    ];
    for (wanted, there) in table {
        for code in wanted.split_whitespace() {
            assert!(there.contains(code), "no exchange has the code {code}");
        }
    }
    let texts: Vec<String> = fixtures
        .iter()
        .map(|one| String::from_utf8_lossy(one.request_bytes()).into_owned())
        .collect();
    for command in COMMANDS.split_whitespace() {
        let stands = |text: &String| {
            text.contains(&format!(">{command}<")) || text.contains(&format!("\"{command}\""))
        };
        assert!(texts.iter().any(stands), "no exchange has the command {command}");
    }
}

#[test]
fn every_kind_of_message_has_one() {
    let kinds: BTreeSet<(bool, &str)> = shipped()
        .iter()
        .map(|one| (one.exchange.direction == Direction::ToMpesa, reading::read(one).message))
        .collect();
    for kind in ["answer", "token", "prompt query answer", "page of payments", "unreadable"] {
        assert!(kinds.contains(&(true, kind)), "no {kind}");
    }
    let called = ["result", "status result", "timeout", "prompt callback", "validation"];
    for kind in called.into_iter().chain(["confirmation", "unreadable"]) {
        assert!(kinds.contains(&(false, kind)), "no {kind}");
    }
}

/// The table of docs/messages.md, shown: each exchange names all its deviations, and each deviation
/// is shown by an exchange at least.
#[test]
fn every_deviation_from_the_schema_is_shown_and_named() {
    let judge = Judge::new().expect("our own schema");
    let mut shown = BTreeSet::new();
    for fixture in shipped() {
        let found = judge.deviations(&fixture);
        let reads = fixture.exchange.reads.unwrap_or_default();
        let named = reads.deviations.unwrap_or_default();
        let named: BTreeSet<&str> = named.iter().map(String::as_str).collect();
        assert_eq!(named, found, "{}", fixture.name);
        shown.extend(found);
    }
    let table: BTreeSet<&str> = deviation::ALL.iter().map(|known| known.name).collect();
    assert_eq!(shown, table);
}

/// Each kind of damage, done to a good exchange, is found.
#[test]
fn what_is_wrong_with_an_exchange_is_found_and_named() {
    let fixtures = shipped();
    let named =
        |name: &str| fixtures.iter().find(|one| one.name == name).expect("it ships").clone();
    let good = named("soap-result-0-paid-business-payment");
    let other = |from: &str, to: &str| {
        let mut bad = good.clone();
        let body = bad.request.as_mut().expect("a request");
        let text = String::from_utf8(body.bytes.clone()).expect("text");
        assert!(text.contains(from), "{from}");
        body.bytes = text.replace(from, to).into_bytes();
        bad
    };
    let read_otherwise = |with: &dyn Fn(&mut exchange::Exchange)| {
        let mut bad = good.clone();
        with(&mut bad.exchange);
        bad
    };
    let paid = |bad: &mut exchange::Exchange| {
        bad.reads.as_mut().expect("reads").amount = Some("151.00".to_owned());
    };
    let id = |bad: &mut exchange::Exchange| bad.ids.conversation_id = Some("AG_1".to_owned());
    let header = |bad: &mut exchange::Exchange| {
        bad.request_headers.push(("Authorization".to_owned(), "Bearer x".to_owned()));
    };
    let token = "/cb/00112233445566778899aabbccddeeff/";
    let path = |bad: &mut exchange::Exchange| bad.path = format!("{token}b2c/result");
    let table = [
        (
            other("<ResultCode>0<", "<ResultCode>1<"),
            "reads.outcome: says \"paid\", and \"not paid\"",
        ),
        (other("</Result>", "<Result>"), "request.xml: cannot be read: the document inside"),
        (
            other("254700020001", "254722000111"),
            "holds the phone 2547*****111, which is no stand-in",
        ),
        (other("/cb/***/", token), "request.xml: holds a secret"),
        (
            other("</ResultDesc>", "</ResultDesc><Password>hunter2x</Password>"),
            "request.xml: holds a secret",
        ),
        (read_otherwise(&paid), "reads.amount: says \"151.00\", and \"150.00\" is read"),
        (read_otherwise(&id), "ids.conversation_id: is \"AG_1\", and \"AG_2026"),
        (read_otherwise(&header), "Authorization: is a secret; take it out"),
        (read_otherwise(&path), "path: holds the secret part of a callback address"),
    ];
    for (bad, words) in table {
        let faults: Vec<String> = check::check(&[bad]).iter().map(ToString::to_string).collect();
        assert!(faults.iter().any(|fault| fault.contains(words)), "no \"{words}\": {faults:?}");
    }
    let mut twin = good.clone();
    twin.name = "twin".to_owned();
    let body = twin.request.as_mut().expect("a request");
    let text =
        String::from_utf8(body.bytes.clone()).expect("text").replace("0001</Conv", "9999</Conv");
    body.bytes = text.into_bytes();
    twin.exchange.ids.conversation_id = Some("AG_20260105_2010a1b2c3d4e5f69999".to_owned());
    let faults = check::check(&[good, twin]);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].to_string().contains("twin/exchange.toml: ids.conversation_id: is"));
}

/// What is no known deviation is a fault, and so is every verdict and deviation that is not said.
#[test]
fn what_is_not_to_the_schema_is_found_and_named() {
    let mut fixtures = shipped().into_iter();
    let good = fixtures.find(|one| one.name == "soap-result-0-paid-business-payment");
    let good = good.expect("it ships");
    let faults = |schema: Option<&str>, names: Option<&[&str]>, more: &str| -> Vec<String> {
        let mut bad = good.clone();
        let reads = bad.exchange.reads.as_mut().expect("reads");
        reads.schema = schema.map(str::to_owned);
        reads.deviations = names.map(|all| all.iter().map(|name| (*name).to_owned()).collect());
        let body = bad.request.as_mut().expect("a request");
        let text = String::from_utf8(body.bytes.clone()).expect("text");
        body.bytes = text.replace("</ResultDesc>", &format!("</ResultDesc>{more}")).into_bytes();
        check::check(&[bad]).iter().map(ToString::to_string).collect()
    };
    let extra = "<Extra>x</Extra>";
    let table: [(_, Option<&[&str]>, _, _); 8] = [
        (None, None, "", ""),
        (Some("accepted, but not to the schema"), Some(&["inner-root"]), "", ""),
        (Some("not to the schema"), Some(&["inner-root"]), extra, ""),
        (None, None, extra, "request.xml:8: result/Extra: is not to the schema: found Extra in"),
        (
            Some("to the schema"),
            None,
            "",
            "toml: reads.schema: says \"to the schema\", and it is accepted, but not to the schema",
        ),
        (None, Some(&["inner-root", "order"]), "", "names \"order\", which no message of it shows"),
        (None, Some(&["inner-root", "roots"]), "", "names \"roots\", which is no known deviation"),
        (None, Some(&[]), "", "toml: reads.deviations: leaves out \"inner-root\", which is shown"),
    ];
    for (schema, names, more, words) in table {
        let found = faults(schema, names, more);
        assert_eq!(found.is_empty(), words.is_empty(), "{words}: {found:?}");
        assert!(found.iter().all(|fault| fault.contains(words)), "no \"{words}\": {found:?}");
    }
}
