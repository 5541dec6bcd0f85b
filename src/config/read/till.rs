//! Reads Daraja's section, and those of money in and of text messages.

use super::super::reader::Reader;
use super::super::section::{
    Ask, C2b, Callbacks, Daraja, DarajaApp, DarajaLink, Payouts, Pull, Route, Sms, SmsAccount, Stk,
};
use super::super::value::filtered_word;
use super::doors::is_loopback;
use super::whole_shillings;
use crate::domain::limit::AmountLimits;
use crate::domain::payment;
use crate::domain::payment::validation::{Rules, Unlisted};
use crate::domain::payout::NotFoundRule;
use crate::domain::text::Occasion;

/// The host of M-Pesa's production (spec/daraja.md §1): it calls `https` addresses only.
pub const PRODUCTION: &str = "api.safaricom.co.ke";

pub(super) fn daraja_app(r: &mut Reader) -> Option<DarajaApp> {
    let consumer_key = r.secret("daraja.consumer_key");
    let consumer_secret = r.secret("daraja.consumer_secret");
    let passkey = r.secret("daraja.passkey");
    let shortcode = r.parsed("daraja.shortcode");
    let b2c_shortcode = r.parsed("daraja.b2c_shortcode");
    let till = r.parsed("daraja.till");
    Some(DarajaApp {
        consumer_key: consumer_key?,
        consumer_secret: consumer_secret?,
        passkey: passkey?,
        shortcode: shortcode?,
        b2c_shortcode,
        till,
    })
}

pub(super) fn daraja(
    r: &mut Reader,
    app: Option<DarajaApp>,
    callbacks: Option<&Callbacks>,
) -> Option<Daraja> {
    let url = r.web_origin("daraja.url");
    let names_payouts = r.word("daraja.b2c_version", &[("v3", true), ("v1", false)]);
    let ids = [("OriginalConversationID", false), ("OriginatorConversationID", true)];
    let by_originator = r.word("daraja.status_id", &ids);
    let link = link(r);
    let ca = r.file("daraja.ca");
    if !r.has("daraja") {
        return None;
    }
    if let Some(url) = &url
        && !url.https
        && !is_loopback(&format!("http://{}", url.host))
    {
        let what = "is plain HTTP to another machine: consumer_secret and credentials would go \
                    over it in the open";
        r.fault("daraja.url", what);
    }
    if let Some(callbacks) = callbacks {
        let is_production = url.as_ref().is_some_and(|url| url.host == PRODUCTION);
        check_address(r, &callbacks.public_url, is_production);
    }
    Some(Daraja {
        url: url?,
        app: app?,
        names_payouts: names_payouts?,
        by_originator: by_originator?,
        link: link?,
        ca,
    })
}

/// What Daraja takes of an address is less than what a broker does (spec/daraja.md §7).
fn check_address(r: &mut Reader, public_url: &str, is_production: bool) {
    if let Some(word) = filtered_word(public_url) {
        let what = format!("has \"{word}\" in it, and M-Pesa's Daraja refuses such addresses");
        r.fault("callbacks.public_url", what);
    }
    if is_production && !public_url.starts_with("https://") {
        let what = "must be an https address: M-Pesa's Daraja calls no other in production";
        r.fault("callbacks.public_url", what);
    }
}

fn link(r: &mut Reader) -> Option<DarajaLink> {
    let timeout = r.time("daraja.timeout");
    let connect_timeout = r.time("daraja.connect_timeout");
    let send_timeout = r.time("daraja.send_timeout");
    let max_in_flight = r.count("daraja.max_in_flight");
    let max_per_second = r.count("daraja.max_per_second");
    let stk_query_every = r.time("daraja.stk_query_every");
    Some(DarajaLink {
        timeout: timeout?,
        connect_timeout: connect_timeout?,
        send_timeout: send_timeout?,
        max_in_flight: max_in_flight?,
        max_per_second: max_per_second?,
        stk_query_every: stk_query_every?,
    })
}

/// Where M-Pesa is not told our name for a payout, the same one again would be another to it: "no
/// such transaction" is then for a person to judge.
pub(super) fn never_again(
    r: &mut Reader,
    payouts: Option<Payouts>,
    daraja: Option<&Daraja>,
) -> Option<Payouts> {
    let mut payouts = payouts?;
    if daraja.is_some_and(|daraja| !daraja.names_payouts)
        && payouts.policy.on_not_found != NotFoundRule::Person
    {
        if r.is_set("payouts.on_not_found") {
            let what = "must be \"person\" where daraja.b2c_version is \"v1\": M-Pesa does not \
                        know our payouts there, and one sent again could be paid twice";
            r.fault("payouts.on_not_found", what);
        }
        payouts.policy.on_not_found = NotFoundRule::Person;
    }
    Some(payouts)
}

pub(super) fn stk(r: &mut Reader) -> Option<Stk> {
    let amounts = amounts(r, "stk");
    let prompt_window = r.time("stk.prompt_window");
    let ask_intervals = r.times("stk.ask_intervals");
    let daily_questions = r.count("stk.daily_questions");
    let call_after = r.time("stk.call_after");
    Some(Stk {
        policy: payment::Policy {
            prompt_window: prompt_window?,
            ask_intervals: ask_intervals?,
            daily_questions: daily_questions?,
            call_after: call_after?,
        },
        amounts: amounts?,
    })
}

fn amounts(r: &mut Reader, section: &str) -> Option<AmountLimits> {
    let (low, high) = (format!("{section}.amount_min"), format!("{section}.amount_max"));
    let (least, most) = (whole_shillings(r, &low), whole_shillings(r, &high));
    let (least, most) = least.zip(most)?;
    if least > most {
        r.fault(&low, format!("is {least}, more than {high}, which is {most}"));
    }
    Some(AmountLimits { least, most })
}

pub(super) fn c2b(r: &mut Reader, daraja: Option<&Daraja>) -> Option<C2b> {
    let shortcodes = r.list::<crate::domain::party::ShortCode>("c2b.shortcodes");
    let accounts = r.list("c2b.accounts");
    let amounts = amounts(r, "c2b");
    let words = [("take", Unlisted::Taken), ("refuse", Unlisted::TurnedDown)];
    let unlisted = r.word("c2b.unlisted", &words);
    let validation_timeout = r.time("c2b.validation_timeout");
    let pull = pull(r, daraja);
    let routes = routes(r);
    let ask = ask(r);
    let as_written = |code: crate::domain::party::ShortCode| code.as_str().to_owned();
    Some(C2b {
        rules: Rules {
            shortcodes: shortcodes?.into_iter().map(as_written).collect(),
            accounts: accounts?,
            amounts: amounts?,
            unlisted: unlisted?,
        },
        routes: routes?,
        ask: ask?,
        validation_timeout: validation_timeout?,
        pull,
    })
}

/// `None` where nothing is to be pulled, too.
fn pull(r: &mut Reader, daraja: Option<&Daraja>) -> Option<Pull> {
    let every = r.time("c2b.pull_every");
    let window = r.time("c2b.pull_window");
    let pull = Pull { every: every?, window: window? };
    if pull.every.is_zero() {
        return None;
    }
    if pull.window < pull.every.saturating_mul(2) {
        let what = "is shorter than two pulls are apart: a payment in between could be missed";
        r.fault("c2b.pull_window", what);
    }
    if daraja.is_none() {
        r.fault("c2b.pull_every", "needs [daraja]: payments are pulled over it");
    }
    Some(pull)
}

fn routes(r: &mut Reader) -> Option<Vec<Route>> {
    let tables = r.tables("c2b.routes");
    let read = tables.into_iter().map(|table| {
        let accounts = r.list(&format!("{table}.accounts"));
        let app = r.text(&format!("{table}.app"));
        Some(Route { accounts: accounts?, app: app? })
    });
    // Each is read, so that each fault is told.
    let read: Vec<Option<Route>> = read.collect();
    read.into_iter().collect()
}

fn ask(r: &mut Reader) -> Option<Vec<Ask>> {
    let tables = r.tables("c2b.ask");
    let read = tables.into_iter().map(|table| {
        let accounts = r.list(&format!("{table}.accounts"));
        let url = r.url(&format!("{table}.url"));
        let deadline = r.time(&format!("{table}.deadline"));
        let words = [("accept", true), ("reject", false)];
        let accept_by_default = r.word(&format!("{table}.default"), &words);
        Some(Ask {
            accounts: accounts?,
            url: url?,
            deadline: deadline?,
            accept_by_default: accept_by_default?,
        })
    });
    let read: Vec<Option<Ask>> = read.collect();
    read.into_iter().collect()
}

pub(super) fn sms_account(r: &mut Reader) -> Option<SmsAccount> {
    let username = r.text("sms.username");
    let api_key = r.secret("sms.api_key");
    let from = r.text("sms.from");
    Some(SmsAccount { username: username?, api_key: api_key?, from })
}

pub(super) fn sms(r: &mut Reader, account: Option<SmsAccount>) -> Option<Sms> {
    let url = r.url("sms.url");
    let timeout = r.time("sms.timeout");
    let ca = r.file("sms.ca");
    let templates = Occasion::ALL.into_iter().filter_map(|occasion| {
        let template = r.template(&format!("sms.templates.{}", occasion.as_str()))?;
        Some((occasion, template))
    });
    let templates = templates.collect();
    if !r.has("sms") {
        return None;
    }
    if url.as_deref().is_some_and(|url| url.starts_with("http://") && !is_loopback(url)) {
        r.fault(
            "sms.url",
            "is plain HTTP to another machine: api_key would go over it in the open",
        );
    }
    Some(Sms { url: url?, account: account?, timeout: timeout?, ca, templates })
}
