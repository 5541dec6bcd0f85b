//! The keys of Daraja, of money in, and of text messages.

use std::time::Duration;

use super::{BOTH, DAY, DEADLINE_MAX, Given, Key, Kind, MINUTE, SERVE, key, secs};

/// M-Pesa waits eight seconds for an answer to its question whether to take a payment
/// (spec/daraja.md §2.2); beyond this nothing is left of them.
const VALIDATION_MAX: Duration = secs(7);
/// How far back payments can be pulled (spec/daraja.md §1.13).
const PULL_MAX: Duration = secs(47 * 60 * 60);

pub(super) const DARAJA: &[Key] = &[
    key(
        "daraja",
        "url",
        Kind::WebOrigin,
        Given::Needed(SERVE, "\"https://sandbox.safaricom.co.ke\""),
        "Where it is: https://sandbox.safaricom.co.ke or https://api.safaricom.co.ke.",
    ),
    key(
        "daraja",
        "consumer_key",
        Kind::Secret,
        Given::Needed(BOTH, "\"<the app's consumer key>\""),
        "The app's consumer key, from the portal.",
    ),
    key(
        "daraja",
        "consumer_secret",
        Kind::Secret,
        Given::Needed(BOTH, "\"<the app's consumer secret>\""),
        "The app's consumer secret.",
    ),
    key(
        "daraja",
        "passkey",
        Kind::Secret,
        Given::Needed(BOTH, "\"<the short code's passkey>\""),
        "The passkey of shortcode, for prompts (M-Pesa Express).",
    ),
    key(
        "daraja",
        "shortcode",
        Kind::ShortCode,
        Given::Needed(BOTH, "\"174379\""),
        "The number that customers pay: the pay bill number, or a till's head office number.",
    ),
    key(
        "daraja",
        "b2c_shortcode",
        Kind::ShortCode,
        Given::Optional("\"600999\""),
        "The short code that payouts are paid from over Daraja; organisation.shortcode if not set.",
    ),
    key(
        "daraja",
        "till",
        Kind::ShortCode,
        Given::Optional("\"5123456\""),
        "A till (Buy Goods): prompts are paid to it, and shortcode is its head office's number.",
    ),
    key(
        "daraja",
        "b2c_version",
        Kind::Word(&["v3", "v1"]),
        Given::Default("\"v3\""),
        "The version of B2C. With \"v1\" M-Pesa is not told our name for a payout: it is never sent\n\
         again after a doubt, and payouts.on_not_found is \"person\".",
    ),
    key(
        "daraja",
        "status_id",
        Kind::Word(&["OriginalConversationID", "OriginatorConversationID"]),
        Given::Default("\"OriginalConversationID\""),
        "What the name of a request is called in questions about it; M-Pesa's pages disagree.",
    ),
    key(
        "daraja",
        "timeout",
        Kind::Time(secs(1), DEADLINE_MAX),
        Given::Default("\"30s\""),
        "How long to wait for an answer once a request is sent.",
    ),
    key(
        "daraja",
        "connect_timeout",
        Kind::Time(Duration::from_millis(100), MINUTE),
        Given::Default("\"10s\""),
        "How long to wait for a connection, its encryption included.",
    ),
    key(
        "daraja",
        "send_timeout",
        Kind::Time(Duration::from_millis(100), MINUTE),
        Given::Default("\"10s\""),
        "How long sending a request may take.",
    ),
    key(
        "daraja",
        "max_in_flight",
        Kind::Count(1, 10_000),
        Given::Default("64"),
        "How many payouts may await their answer at once, and how many other calls.",
    ),
    key(
        "daraja",
        "max_per_second",
        Kind::Count(1, 10_000),
        Given::Default("10"),
        "How many requests may be sent to one interface per second.",
    ),
    key(
        "daraja",
        "stk_query_every",
        Kind::Time(Duration::from_millis(1), MINUTE),
        Given::Default("\"12s\""),
        "The pause between questions about prompts; the sandbox takes five a minute.",
    ),
    key(
        "daraja",
        "ca",
        Kind::File,
        Given::Optional("\"certs/ca.pem\""),
        "Certificate authorities (PEM) that are trusted besides this machine's own.",
    ),
];

pub(super) const STK: &[Key] = &[
    key(
        "stk",
        "amount_min",
        Kind::Money,
        Given::Default("\"1\""),
        "The least that one prompt may ask for, in whole shillings.",
    ),
    key(
        "stk",
        "amount_max",
        Kind::Money,
        Given::Default("\"250000\""),
        "The most that one prompt may ask for, in whole shillings.",
    ),
    key(
        "stk",
        "prompt_window",
        Kind::Time(secs(1), secs(600)),
        Given::Default("\"60s\""),
        "How long a prompt may wait to be sent; later it fails, as nobody waits for it any more.",
    ),
    key(
        "stk",
        "ask_intervals",
        Kind::Times(secs(1), DAY),
        Given::Default("[\"20s\", \"15s\", \"30s\", \"1m\", \"2m\", \"5m\", \"15m\", \"1h\"]"),
        "The pauses before each question how a prompt ended; then a person is called.",
    ),
    key(
        "stk",
        "daily_questions",
        Kind::Count(0, 30),
        Given::Default("3"),
        "How often it is asked after that, once a day.",
    ),
    key(
        "stk",
        "call_after",
        Kind::Time(secs(1), DAY),
        Given::Default("\"15m\""),
        "How long a prompt that cannot be asked about waits for its callback before a person is called.",
    ),
];

pub(super) const C2B: &[Key] = &[
    key(
        "c2b",
        "shortcodes",
        Kind::ShortCodes,
        Given::Default("[]"),
        "The numbers whose payments are taken; a notice of a payment to another is a case. Empty: any.",
    ),
    key(
        "c2b",
        "accounts",
        Kind::Patterns,
        Given::Default("[]"),
        "The accounts that payers may type, such as [\"INV-*\", \"????-2026\"]. Empty: any.",
    ),
    key(
        "c2b",
        "amount_min",
        Kind::Money,
        Given::Default("\"1\""),
        "The least that may be paid, in whole shillings.",
    ),
    key(
        "c2b",
        "amount_max",
        Kind::Money,
        Given::Default("\"250000\""),
        "The most that may be paid, in whole shillings.",
    ),
    key(
        "c2b",
        "unlisted",
        Kind::Word(&["take", "refuse"]),
        Given::Default("\"take\""),
        "What is done with an account that is not among the imported references.",
    ),
    key(
        "c2b",
        "validation_timeout",
        Kind::Time(Duration::from_millis(200), VALIDATION_MAX),
        Given::Default("\"5s\""),
        "How long M-Pesa's question whether to take a payment may take in all; it waits for eight seconds.",
    ),
    key(
        "c2b",
        "pull_every",
        Kind::Time(secs(0), DAY),
        Given::Default("\"0s\""),
        "How often payments are pulled whose confirmations may be missing; 0s: never. The short code\n\
         must be registered for pulling with M-Pesa: POST /v1/c2b/register-pull, once.",
    ),
    key(
        "c2b",
        "pull_window",
        Kind::Time(MINUTE, PULL_MAX),
        Given::Default("\"6h\""),
        "How far back each pull looks: several times pull_every.",
    ),
];

pub(super) const ROUTES: &[Key] = &[
    key(
        "c2b.routes",
        "accounts",
        Kind::Patterns,
        Given::Needed(SERVE, "[\"INV-*\"]"),
        "The accounts.",
    ),
    key(
        "c2b.routes",
        "app",
        Kind::Text,
        Given::Needed(SERVE, "\"billing\""),
        "Whose they are: the name of an application (`mlango apps create NAME`).",
    ),
];

pub(super) const ASK: &[Key] = &[
    key(
        "c2b.ask",
        "accounts",
        Kind::Patterns,
        Given::Needed(SERVE, "[\"LOAN-*\"]"),
        "The accounts.",
    ),
    key(
        "c2b.ask",
        "url",
        Kind::Url,
        Given::Needed(SERVE, "\"https://loans.example.org/accepts\""),
        "Who is asked, by POST.",
    ),
    key(
        "c2b.ask",
        "deadline",
        Kind::Time(Duration::from_millis(50), VALIDATION_MAX),
        Given::Default("\"3s\""),
        "How long it may take to answer.",
    ),
    key(
        "c2b.ask",
        "default",
        Kind::Word(&["accept", "reject"]),
        Given::Default("\"accept\""),
        "What is done when it does not answer in time.",
    ),
];

pub(super) const SMS: &[Key] = &[
    key(
        "sms",
        "url",
        Kind::Url,
        Given::Default("\"https://api.africastalking.com/version1/messaging\""),
        "Where it is; the sandbox is at api.sandbox.africastalking.com.",
    ),
    key(
        "sms",
        "username",
        Kind::Text,
        Given::Needed(BOTH, "\"exampleorg\""),
        "The account; \"sandbox\" in the sandbox.",
    ),
    key(
        "sms",
        "api_key",
        Kind::Secret,
        Given::Needed(BOTH, "\"<the account's API key>\""),
        "The account's API key.",
    ),
    key(
        "sms",
        "from",
        Kind::Text,
        Given::Optional("\"EXAMPLEORG\""),
        "The registered sender id. Without one, texts come from a shared number.",
    ),
    key(
        "sms",
        "timeout",
        Kind::Time(secs(1), DEADLINE_MAX),
        Given::Default("\"30s\""),
        "How long to wait for an answer once a text is sent.",
    ),
    key(
        "sms",
        "ca",
        Kind::File,
        Given::Optional("\"certs/ca.pem\""),
        "Certificate authorities (PEM) that are trusted besides this machine's own.",
    ),
];

pub(super) const TEMPLATES: &[Key] = &[
    key(
        "sms.templates",
        "payment_received",
        Kind::Template,
        Given::Optional(
            "\"Dear {first_name}, we received {amount} for {account}. Ref {receipt}.\"",
        ),
        "To a payer, when his payment came in.",
    ),
    key(
        "sms.templates",
        "payment_failed",
        Kind::Template,
        Given::Optional("\"Your payment of {amount} for {account} was not made.\""),
        "To a payer, when a prompt did not lead to a payment.",
    ),
    key(
        "sms.templates",
        "payout_succeeded",
        Kind::Template,
        Given::Optional("\"Dear {first_name}, we paid you {amount}. Ref {receipt}.\""),
        "To a payee, when a payout arrived.",
    ),
];
