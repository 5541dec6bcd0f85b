//! No secret is kept, described or shown, whatever M-Pesa's page repeats of our request.

use std::sync::Mutex;
use std::time::Duration;

use mlango::domain::inquiry::Kind;
use mlango::engine::port::{Call, Counter, Outcome, Pending, Rail, Reply};
use mlango::rail::daraja::DarajaRail;
use mlango::rail::pace::Pace;
use mlango::rail::transport::{Answer, Request, Unanswered, Web};
use proptest::prelude::*;

use crate::support::{
    CREDENTIAL, NOW, Watched, call_over, inquiry, pay, payment, payout, settings,
};

const TOKEN: &str = "Zq8v+Placeholder/Token0000Abcd==";

/// Gives a token, and answers everything else with a page that repeats what was sent.
#[derive(Debug)]
struct Echo {
    status: u16,
    shape: usize,
    seen: Mutex<Vec<u8>>,
}

impl Web for Echo {
    fn send<'a>(
        &'a self,
        request: Request,
        _pace: &'a Pace,
    ) -> Pending<'a, Result<Answer, Unanswered>> {
        if request.path.starts_with("/oauth") {
            let body = format!("{{\"access_token\":\"{TOKEN}\",\"expires_in\":\"3599\"}}");
            return Box::pin(async { Ok(Answer::new(200, body.into_bytes())) });
        }
        self.seen.lock().expect("a lock").extend_from_slice(&request.body);
        let sent = String::from_utf8(request.body).expect("text");
        let bearer = request.headers.iter().find(|(name, _)| name == "authorization");
        let bearer = bearer.map(|(_, value)| value.clone()).expect("a token");
        let words = format!("{bearer} {}", sent.replace('/', "\\/"));
        let quoted = serde_json::to_string(&format!("{bearer}: {sent}")).expect("text");
        let body = match self.shape % 5 {
            0 => format!("<html><body>{words}</body></html>"),
            1 => format!("{{\"errorCode\":\"400.002.02\",\"errorMessage\":{quoted}}}"),
            2 => sent,
            3 => format!("{{\"fault\":{{\"faultstring\":{quoted}}}}}"),
            _ => format!("{{\"ResponseCode\":\"1\",\"ResponseDescription\":{quoted}}}"),
        };
        let status = self.status;
        Box::pin(async move { Ok(Answer::new(status, body.into_bytes())) })
    }

    fn longest(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// Every secret that a request has, as it stands on the wire.
fn secrets() -> Vec<String> {
    let settings = settings();
    vec![
        CREDENTIAL.clone(),
        TOKEN.to_owned(),
        settings.prompts.passkey.to_string(),
        settings.consumer_secret.to_string(),
        "00ff00ff00ff00ff".to_owned(),
    ]
}

fn holds_none(seen: &str, what: &str) {
    for secret in secrets() {
        // Also in parts: what is cut off is cut in the middle of a secret.
        let (head, tail) = (secret.get(..16), secret.get(secret.len().saturating_sub(16)..));
        for part in [head, tail].map(|part| part.expect("long enough")) {
            let escaped = part.replace('/', "\\/");
            assert!(!seen.contains(part) && !seen.contains(&escaped), "{what}: {part} in {seen}");
        }
    }
}

async fn all(status: u16, shape: usize) {
    let echo = Watched::new(Echo { status, shape, seen: Mutex::default() });
    let rail = DarajaRail::new(echo, settings());
    let what = format!("{status} {shape}");
    holds_none(&format!("{rail:?} {:?}", settings()), &what);
    let payout = payout(1);
    let request = Rail::prepare(&rail, &payout, NOW).expect("it is built");
    assert!(String::from_utf8_lossy(&request.wire).contains(CREDENTIAL.as_str()));
    holds_none(&format!("{request:?} {}", String::from_utf8_lossy(&request.kept)), &what);
    let sent = pay(&rail, &payout).await;
    let Outcome::Answered(facts) = sent.outcome else { panic!("an answer") };
    let kept = sent.answer.expect("an answer").body;
    holds_none(&format!("{facts:?} {}", String::from_utf8_lossy(&kept)), &what);
    let balance = inquiry(Kind::Balance, "600999");
    let payment = payment(1);
    for call in [Call::Inquiry(&balance), Call::Prompt(&payment)] {
        let prepared = Counter::prepare(&rail, call, NOW).expect("it is built");
        holds_none(&format!("{prepared:?} {}", String::from_utf8_lossy(&prepared.kept)), &what);
        let replied = call_over(&rail, call).await;
        assert!(!matches!(replied.reply, Reply::NothingSent(_)), "{what}");
        let kept = replied.answer.expect("an answer").body;
        let seen = format!("{:?} {}", replied.reply, String::from_utf8_lossy(&kept));
        holds_none(&seen, &what);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_repeats_our_request_is_kept_without_its_secrets(
        status in prop_oneof![Just(200_u16), Just(400), Just(403), Just(500), Just(503)],
        shape in 0_usize..5,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(all(status, shape));
    }
}
