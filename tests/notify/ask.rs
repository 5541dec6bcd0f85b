//! Applications that are asked whether a payment is to be taken.

use std::time::{Duration, Instant};

use mlango::domain::money::Amount;
use mlango::domain::payment::validation::{Answer, Refusal};
use mlango::domain::payment::{C2bNotice, NoticeKind, Payer, PayerPhone};
use mlango::engine::port::Validator;
use mlango::notify::ask::{AskRule, Asker, Otherwise};

use super::peer::{Does, Peer, nobody};

fn notice(account: &str) -> C2bNotice {
    C2bNotice {
        kind: NoticeKind::PayBill,
        receipt: mlango::domain::id::Receipt::new("UJ34AA00ZZ").expect("a receipt"),
        time: None,
        amount: Amount::from_shillings(1_500),
        shortcode: "174379".to_owned(),
        account: account.to_owned(),
        invoice: None,
        balance: None,
        third_party_id: None,
        payer: Payer { phone: PayerPhone::read("2547*****001"), ..Payer::default() },
        odd: None,
    }
}

fn rule(accounts: &str, url: String, default: Otherwise) -> AskRule {
    let deadline = Duration::from_millis(700);
    AskRule { accounts: accounts.parse().expect("a pattern"), url, deadline, default }
}

const YES: Answer = Answer::Accept { third_party_id: None };
const NO: Answer = Answer::Reject(Refusal::Other);

#[tokio::test]
async fn an_application_is_told_what_is_to_be_paid_and_its_word_counts() {
    let yes = Peer::that(Does::Answers(200, br#"{"accept":true,"third_party_id":"A1"}"#.to_vec()));
    let no = Peer::that(Does::Answers(200, br#"{"accept":false,"code":"C2B00012"}"#.to_vec()));
    let (yes, no) = (yes.await, no.await);
    let asker = Asker::new(vec![
        rule("INV-*", format!("http://{}/ask?x=1", yes.addr), Otherwise::Reject),
        rule("*-77", format!("http://{}/", no.addr), Otherwise::Accept),
    ]);
    let asker = asker.expect("it is set up");
    let taken = Answer::Accept { third_party_id: Some("A1".to_owned()) };
    assert_eq!(asker.ask(&notice("inv-77")).await, Some(taken), "the first that fits");
    assert_eq!(asker.ask(&notice("HOUSE-77")).await, Some(Answer::Reject(Refusal::Account)));
    assert_eq!(asker.ask(&notice("RENT")).await, None, "nobody asked to be asked");
    let requests = yes.requests();
    assert_eq!(requests.len(), 1);
    let (head, body) = requests[0].split_once("\r\n\r\n").expect("a request");
    assert!(head.starts_with("POST /ask?x=1 HTTP/1.1\r\n"), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let expected = serde_json::json!({
        "shortcode": "174379", "account": "inv-77", "amount": "1500.00",
        "phone_shown": "2547*****001", "receipt": "UJ34AA00ZZ", "kind": "pay_bill",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn without_a_proper_answer_in_time_the_default_counts() {
    let yes = br#"{"accept":true}"#.to_vec();
    let table = [
        Does::HangsUp,
        Does::KeepsSilent,
        Does::AnswersAfter(Duration::from_secs(5), 200, yes.clone()),
        Does::Answers(500, yes.clone()),
        Does::Answers(202, yes.clone()),
        Does::Answers(302, vec![]),
        Does::Answers(200, b"yes".to_vec()),
        Does::Answers(200, vec![b' '; 1024 * 1024]),
    ];
    for (nth, does) in table.into_iter().enumerate() {
        let peer = Peer::that(does).await;
        for (default, answer) in [(Otherwise::Accept, YES), (Otherwise::Reject, NO)] {
            let url = format!("http://{}/", peer.addr);
            let asker = Asker::new(vec![rule("*", url, default)]).expect("it is set up");
            let began = Instant::now();
            assert_eq!(asker.ask(&notice("RENT")).await, Some(answer), "{nth}");
            assert!(began.elapsed() < Duration::from_secs(4), "{nth}: {:?}", began.elapsed());
        }
    }
    let url = format!("http://{}/", nobody().await);
    let asker = Asker::new(vec![rule("*", url, Otherwise::Reject)]).expect("it is set up");
    assert_eq!(asker.ask(&notice("RENT")).await, Some(NO), "nobody listens");
}
