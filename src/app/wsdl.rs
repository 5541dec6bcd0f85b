//! The partner's own schema, which each request to the broker is held against before it is sent.

use std::path::Path;

use crate::domain::money::Amount;
use crate::domain::party::Msisdn;
use crate::domain::payout::Command;
use crate::domain::time::Timestamp;
use crate::schema::{Gatekeeper, Schemas};
use crate::soap::request::{Caller, PayoutRequest};
use crate::soap::status_query::{AskFor, StatusQuery};

/// A phone that nobody has: it stands in a specimen that is never sent.
const NOBODY: &str = "254700000000";
/// The length of what M-Pesa's certificates make of a password (spec/soap.md §6).
const CREDENTIAL_LEN: usize = 344;

/// Reads the schemas of a directory, and holds specimens of what is sent for every payout against
/// them: what no payout could pass is a fault of the directory or of the configuration, and is said
/// before the first is taken.
///
/// # Errors
/// What is wrong, and what to do.
pub(super) fn gatekeeper(
    dir: &Path,
    caller: &Caller,
    now: Timestamp,
) -> Result<Gatekeeper, String> {
    let shown = dir.display();
    let schemas = Schemas::from_dir(dir).map_err(|error| format!("{shown}: {error}"))?;
    let gatekeeper = Gatekeeper::new(schemas);
    for (what, wire) in specimens(caller, now) {
        if let Some(why) = gatekeeper.objection(&wire) {
            return Err(format!(
                "{shown}: {what} as this configuration writes it is not to the schema there: {why}; \
                 see broker.header_namespace and docs/messages.md"
            ));
        }
    }
    Ok(gatekeeper)
}

/// A payout's request, and a question about one.
fn specimens(caller: &Caller, now: Timestamp) -> Vec<(&'static str, Vec<u8>)> {
    let caller = &Caller { security_credential: "A".repeat(CREDENTIAL_LEN), ..caller.clone() };
    let name = format!("{}_Specimen_0001", caller.shortcode);
    let query = StatusQuery {
        caller,
        originator_conversation_id: &name,
        ask_for: AskFor::OriginatorConversationId(&name),
        at: now,
    };
    let request = NOBODY.parse::<Msisdn>().ok().map(|phone| PayoutRequest {
        caller,
        command: Command::BusinessPayment,
        originator_conversation_id: &name,
        amount: Amount::from_shillings(10),
        phone,
        remarks: "a specimen",
        occasion: "",
        at: now,
    });
    let request = request.map(|request| ("a payout's request", request.render().wire));
    request.into_iter().chain([("a question about a payout", query.render().wire)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soap::header::{HexCase, Namespace};

    fn caller(namespace: Namespace) -> Caller {
        Caller {
            namespace,
            hex_case: HexCase::Upper,
            sp_id: "100001".to_owned(),
            sp_password: "Example-Secret-1".to_owned(),
            service_id: "100001000".to_owned(),
            shortcode: "600999".to_owned(),
            initiator: "example-operator".to_owned(),
            security_credential: String::new(),
            result_url: "https://gw.example.org/cb/00ff/b2c/result".to_owned(),
            queue_timeout_url: "https://gw.example.org/cb/00ff/b2c/timeout".to_owned(),
        }
    }

    fn keep(dir: &Path, namespace: Namespace) -> Result<Gatekeeper, String> {
        gatekeeper(dir, &caller(namespace), Timestamp::from_millis(1_704_164_645_000))
    }

    /// Our own files, less the one that is named and what imports it, and one changed.
    fn partner(without: Option<&str>, (file, old, new): (&str, &str, &str)) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, text) in crate::soap::wsdl::SCHEMAS {
            let text = text.lines().filter(|line| without.is_none_or(|one| !line.contains(one)));
            let text = text.collect::<Vec<_>>().join("\n");
            let text = if name == file { text.replacen(old, new, 1) } else { text };
            if Some(name) != without {
                std::fs::write(dir.path().join(name), text).expect("writes");
            }
        }
        dir
    }

    #[test]
    fn our_requests_are_to_our_own_schema_in_both_forms_of_the_header() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("wsdl");
        for namespace in [Namespace::A, Namespace::B] {
            keep(&dir, namespace).expect("they are");
        }
    }

    #[test]
    fn what_no_payout_could_pass_is_said_before_the_first() {
        let dir = partner(Some("header-a.xsd"), ("", "", ""));
        let why = keep(dir.path(), Namespace::A).expect_err("that header is unknown there");
        for part in ["a payout's request", "RequestSOAPHeader", "broker.header_namespace"] {
            assert!(why.contains(part), "{part} in {why}");
        }
        keep(dir.path(), Namespace::B).expect("the other is known");
        let broken = partner(None, ("request.xsd", "xs:element", "xs:elephant"));
        let why = keep(broken.path(), Namespace::A).expect_err("it is no schema");
        assert!(why.contains("request.xsd:"), "{why}");
    }

    #[test]
    fn a_single_payout_that_does_not_fit_is_objected_to_in_words_without_values() {
        let short = partner(None, ("request.xsd", "value=\"255\"", "value=\"20\""));
        let keeper = keep(short.path(), Namespace::A).expect("the specimen fits");
        let caller = caller(Namespace::A);
        let wire = |remarks: &str| {
            let request = PayoutRequest {
                caller: &caller,
                command: Command::SalaryPayment,
                originator_conversation_id: "600999_ExampleOrg_0001",
                amount: Amount::from_shillings(10),
                phone: NOBODY.parse().expect("a phone"),
                remarks,
                occasion: "",
                at: Timestamp::from_millis(1_704_164_645_000),
            };
            request.render().wire
        };
        assert_eq!(keeper.objection(&wire("March commission")), None);
        let objection = keeper.objection(&wire("Commission of Jane Doe for March"));
        let wanted = "request/Transaction/Remark: found a text of 32 characters; expected at most 20 \
                      characters";
        assert_eq!(objection.as_deref(), Some(wanted));
    }
}
