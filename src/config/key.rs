//! Every key there is: the one table behind reading, the check for unknown keys, and
//! `mlango.example.toml`.

mod broker;
mod doors;
mod side;
mod till;

use std::time::Duration;

/// What a section is for.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// As it stands between the brackets.
    pub name: &'static str,
    /// What it sets, for the example file. Empty: its keys are not in this version.
    pub doc: &'static str,
    /// Whether it stands there at all, and how often.
    pub shape: Shape,
}

/// Whether a section stands in a configuration, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Always: its keys are what is needed, or have defaults.
    Always,
    /// Where something of it is set, what it needs must be; where nothing is, it is not there.
    Optional,
    /// A list of tables, each written with its name in two brackets.
    Rows,
}

/// A command, as far as it decides which keys must be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// `mlango serve`.
    Serve,
    /// `mlango simulate`.
    Simulate,
}

/// Whether a key must be set.
#[derive(Clone, Copy, Debug)]
pub enum Given {
    /// It has this value, in TOML, when it is not set.
    Default(&'static str),
    /// These commands need it; the example file holds this, in TOML. A text in angle brackets is
    /// a placeholder, which no command accepts.
    Needed(&'static [Purpose], &'static str),
    /// It may be left out, and has no default; the example file shows this, in TOML.
    Optional(&'static str),
}

/// What a value must look like.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any text of 1 to 200 characters.
    Text,
    /// A text that is not to be shown; also as `name_file`.
    Secret,
    /// A secret of 16 to 128 hexadecimal digits; also as `name_file`.
    Token,
    /// Address and port to listen on.
    Listen,
    /// How M-Pesa reaches the callbacks.
    PublicUrl,
    /// `https://host`, perhaps with a port; `http://` too.
    WebOrigin,
    /// A whole address of a program of yours.
    Url,
    /// A list of forms that accounts have.
    Patterns,
    /// A list of texts.
    Texts,
    /// A list of certificates' fingerprints.
    Fingerprints,
    /// An address of this machine.
    Address,
    /// A day.
    Day,
    /// A list of short codes.
    ShortCodes,
    /// What a text message says.
    Template,
    /// Where the book is kept.
    StoreUrl,
    /// A file.
    File,
    /// A file that is written, and need not be there.
    Output,
    /// Source networks.
    Networks,
    /// A short code.
    ShortCode,
    /// Shillings.
    Money,
    /// A whole number within bounds.
    Count(u64, u64),
    /// A size in bytes within bounds.
    Size(u64, u64),
    /// A length of time within bounds.
    Time(Duration, Duration),
    /// A list of one to twenty lengths of time within bounds.
    Times(Duration, Duration),
    /// One of these words.
    Word(&'static [&'static str]),
    /// What is logged.
    LogLevel,
}

impl Kind {
    /// Whether the value must not be shown.
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::Token)
    }
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its section.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What its value must look like.
    pub kind: Kind,
    /// Whether it must be set.
    pub given: Given,
    /// What it means, for the example file; lines are broken as written here.
    pub doc: &'static str,
}

impl Key {
    /// `section.name`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// The environment variable that overrides it.
    pub fn variable(&self) -> String {
        let (section, name) = (self.section.replace('.', "__"), self.name);
        format!("MLANGO__{section}__{name}").to_uppercase()
    }
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const MINUTE: Duration = secs(60);
const DAY: Duration = secs(24 * 60 * 60);
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// More connections than one process should hold; each costs memory and a file descriptor.
const CONNECTIONS_MAX: u64 = 100_000;
/// A deadline beyond this is no deadline.
const DEADLINE_MAX: Duration = secs(5 * 60);

const SERVE: &[Purpose] = &[Purpose::Serve];
const BOTH: &[Purpose] = &[Purpose::Serve, Purpose::Simulate];
const SIMULATE: &[Purpose] = &[Purpose::Simulate];

const fn key(
    section: &'static str,
    name: &'static str,
    kind: Kind,
    given: Given,
    doc: &'static str,
) -> Key {
    Key { section, name, kind, given, doc }
}

/// All sections, in the order of the example file.
pub const SECTIONS: &[Section] = &[
    section("api", "The REST API and the metrics, for your own systems."),
    section("callbacks", "The listener that M-Pesa calls."),
    section("store", "Where the book is kept."),
    section("organisation", "Who pays."),
    section("payouts", "What may be paid, and how long to wait."),
    section(
        "broker",
        "The SOAP rail: M-Pesa's broker. Not needed where payouts.rail is \"daraja\".",
    ),
    optional("daraja", "M-Pesa over REST: prompts, notices, inquiries, and a rail for payouts."),
    section("stk", "Prompts on payers' phones."),
    section("c2b", "Payments that come by themselves."),
    rows("c2b.routes", "Whose payments to some accounts are; the first that fits counts."),
    rows("c2b.ask", "Who is asked whether a payment is to be taken; the first that fits counts."),
    optional("sms", "Text messages, by Africa's Talking."),
    section("sms.templates", "What they say. What is left out is not sent."),
    section("simulator", "Only for `mlango simulate`."),
    optional("test", "For tests alone: never set any of it where money can move."),
    section("log", "What is written to standard error, or to a file."),
    section("webhooks", ""),
    section("dashboard", ""),
    optional("telemetry", "Where traces go: to a collector that speaks OTLP over HTTP."),
];

const fn section(name: &'static str, doc: &'static str) -> Section {
    Section { name, doc, shape: Shape::Always }
}

const fn optional(name: &'static str, doc: &'static str) -> Section {
    Section { name, doc, shape: Shape::Optional }
}

const fn rows(name: &'static str, doc: &'static str) -> Section {
    Section { name, doc, shape: Shape::Rows }
}

/// All keys, by section, in the order of the example file.
pub const KEYS: &[&[Key]] = &[
    doors::API,
    doors::CALLBACKS,
    STORE,
    ORGANISATION,
    PAYOUTS,
    broker::BROKER,
    till::DARAJA,
    till::STK,
    till::C2B,
    till::ROUTES,
    till::ASK,
    till::SMS,
    till::TEMPLATES,
    side::SIMULATOR,
    side::TEST,
    side::LOG,
    side::TELEMETRY,
];

const STORE: &[Key] = &[
    key(
        "store",
        "url",
        Kind::StoreUrl,
        Given::Default("\"sled:./data\""),
        "\"sled:DIRECTORY\", or \"memory:\" (for trying out: all is forgotten at exit).",
    ),
    key(
        "store",
        "cache_bytes",
        Kind::Size(MIB, 64 * GIB),
        Given::Default("\"96 MiB\""),
        "Memory for the store's cache.",
    ),
];

const ORGANISATION: &[Key] = &[
    key(
        "organisation",
        "name",
        Kind::Text,
        Given::Needed(SERVE, "\"ExampleOrg\""),
        "Its name, for people.",
    ),
    key(
        "organisation",
        "shortcode",
        Kind::ShortCode,
        Given::Needed(BOTH, "\"600999\""),
        "The short code that payouts are paid from.",
    ),
    key(
        "organisation",
        "initiator",
        Kind::Text,
        Given::Needed(BOTH, "\"apiop\""),
        "The API operator's user name on the M-Pesa portal.",
    ),
    key(
        "organisation",
        "initiator_password",
        Kind::Secret,
        Given::Needed(BOTH, "\"<the API operator's password>\""),
        "The API operator's password.",
    ),
    key(
        "organisation",
        "initiator_password_set_on",
        Kind::Day,
        Given::Optional("\"2026-11-01\""),
        "The day on which the password was set: M-Pesa takes it for ninety days. Without it, the day\n\
         on which the file of initiator_password_file was last changed.",
    ),
    key(
        "organisation",
        "credential_certificate",
        Kind::File,
        Given::Needed(SERVE, "\"certs/credential.cer\""),
        "M-Pesa's certificate (PEM or DER) that the password is encrypted with.",
    ),
];

const PAYOUTS: &[Key] = &[
    key(
        "payouts",
        "rail",
        Kind::Word(&["soap", "daraja"]),
        Given::Default("\"soap\""),
        "The way to M-Pesa that payouts go which name none: \"soap\" or \"daraja\"; it must be set up.",
    ),
    key(
        "payouts",
        "result_overdue",
        Kind::Time(secs(1), DAY.saturating_mul(7)),
        Given::Default("\"120s\""),
        "How long an accepted payout waits for its result before it counts as unknown.",
    ),
    key(
        "payouts",
        "inquiry_intervals",
        Kind::Times(secs(1), DAY),
        Given::Default("[\"5s\", \"30s\", \"2m\", \"10m\", \"1h\"]"),
        "The pauses before each question to M-Pesa about an unknown payout; then a person is called, and it is asked daily.",
    ),
    key(
        "payouts",
        "on_not_found",
        Kind::Word(&["resend", "fail", "person"]),
        Given::Default("\"resend\""),
        "What is done when M-Pesa knows no such transaction and it can no longer arrive: send it again under the same id, call it failed, or ask a person.",
    ),
    key(
        "payouts",
        "arrival_window",
        Kind::Time(secs(1), DAY.saturating_mul(7)),
        Given::Default("\"15m\""),
        "How long a request that was sent may still arrive: before that, \"no such transaction\" proves nothing.",
    ),
    key(
        "payouts",
        "cached_window",
        Kind::Time(secs(1), DAY.saturating_mul(7)),
        Given::Default("\"1d\""),
        "The same for a request that the broker holds and has said it would pass on (code 100000000).",
    ),
    key(
        "payouts",
        "first_result_wait",
        Kind::Time(secs(0), secs(600)),
        Given::Default("\"30s\""),
        "How long the first message after a start is waited for alone, so that a wrong password is tried once; 0s: not at all.",
    ),
    key(
        "payouts",
        "amount_min",
        Kind::Money,
        Given::Default("\"10\""),
        "The least that one payout may pay, in whole shillings.",
    ),
    key(
        "payouts",
        "amount_max",
        Kind::Money,
        Given::Default("\"250000\""),
        "The most that one payout may pay, in whole shillings.",
    ),
    key(
        "payouts",
        "approval_above",
        Kind::Money,
        Given::Default("\"0\""),
        "\"0\": no payout waits for approval. Nothing else is in this version.",
    ),
];

/// Every key, in order.
pub fn all() -> impl Iterator<Item = &'static Key> {
    KEYS.iter().flat_map(|keys| keys.iter())
}

/// The section of this name.
pub fn section_of(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|known| known.name == name)
}

/// The key of a full name; in a list of tables the number of the table stands before the last
/// point.
pub fn of(full_name: &str) -> Option<&'static Key> {
    let (section, name) = full_name.rsplit_once('.')?;
    find(without_number(section), name)
}

/// The name of a section without the number of the table in a list.
pub fn without_number(section: &str) -> &str {
    match section.rsplit_once('.') {
        Some((list, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => list,
        Some(_) | None => section,
    }
}

/// The key of this name.
pub fn find(section: &str, name: &str) -> Option<&'static Key> {
    all().find(|key| key.section == section && key.name == name)
}
