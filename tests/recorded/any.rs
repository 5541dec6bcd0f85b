//! Whatever comes: nothing panics, places are right, and no phone gets through.

use mlango::fixture::BODY_BYTES_MAX;
use mlango::fixture::compare::compare;
use mlango::fixture::leaf;
use mlango::fixture::relabel::Labels;
use mlango::fixture::stand_in::StandIns;
use proptest::prelude::*;

/// Pieces of which messages are made, whole and broken.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "<a>",
        "</a>",
        "<b/>",
        "<![CDATA[",
        "]]>",
        "&lt;c&gt;",
        "&lt;/c&gt;",
        "&amp;lt;d&amp;gt;",
        "<Key>",
        "</Key>",
        "<Value>",
        "</Value>",
        "<x y=\"z\">",
        "<originRequest>",
        "</originRequest>",
        "{",
        "}",
        "[",
        "]",
        "\"Name\":",
        "\"Value\":",
        "\"Password\":",
        "\"k\":",
        "\"",
        "\\\"",
        "12,",
        "254722345678",
        "0722345678",
        "2547 ***** 678",
        "ws_CO_03102026141530123722345678",
        "Zoë",
        "AMINA",
        "&",
        ";",
        "Invalid Access Token - ",
        "/cb/00ff/",
        " ",
        "\n",
        "=",
        "ResultDesc",
        "stand-in-",
        "***",
        "QUJD",
    ]);
    let begin = prop::sample::select(vec!["", "<a>", "{", "[", "\u{FEFF}<a>"]);
    (begin, prop::collection::vec(piece, 0..40))
        .prop_map(|(begin, all)| begin.to_owned() + &all.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn values_stand_where_they_are_said_to(text in pieces()) {
        for leaf in leaf::leaves(&text) {
            let there = text.get(leaf.at..).is_some_and(|rest| rest.starts_with(leaf.raw));
            prop_assert!(there, "{leaf:?}");
        }
        prop_assert_eq!(&leaf::replaced(&text, |_| None), &text);
        prop_assert_eq!(&Labels::default().apply(&text), &text);
    }

    #[test]
    fn whatever_a_message_is_made_of_nobody_can_be_called_by_it(text in pieces()) {
        let mut stand_ins = StandIns::new();
        let body = stand_ins.body(text.as_bytes()).expect("few people");
        let out = String::from_utf8_lossy(&body.bytes).into_owned();
        for digits in ["254722345678", "0722345678"] {
            // Two numbers that stand without anything between them are none.
            let is_clear = !text.contains(&digits.repeat(2)) && text.split(digits).all(|part| {
                !part.ends_with(|c: char| c.is_alphanumeric())
                    && !part.starts_with(|c: char| c.is_alphanumeric())
            });
            prop_assert!(!is_clear || !out.contains(digits), "{} in {}", digits, out);
        }
        // Once somebody is known, the same is the same each time.
        let again = stand_ins.body(text.as_bytes()).expect("few people");
        let third = stand_ins.body(text.as_bytes()).expect("few people");
        prop_assert_eq!(third.bytes, again.bytes);
    }

    #[test]
    fn a_message_does_not_differ_from_itself(text in pieces(), other in pieces()) {
        prop_assert_eq!(compare(text.as_bytes(), text.as_bytes()), vec![]);
        drop(compare(text.as_bytes(), other.as_bytes()));
    }

    #[test]
    fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        StandIns::new().body(&bytes).expect("nobody");
    }
}

#[test]
fn numbers_of_json_that_become_words_become_texts() {
    let body =
        br#"{"BillRefNumber":4711,"Password":123456789,"MSISDN":254722345678,"Amount":25.00}"#;
    let made = StandIns::new().body(body).expect("made").bytes;
    let expected = r#"{"BillRefNumber":"Ref1","Password":"stand-in-password-1","MSISDN":254700771000,"Amount":25.00}"#;
    assert_eq!(String::from_utf8_lossy(&made), expected);
}

/// As long as a message may be, and made of what is looked for everywhere: what cost the square of
/// its length would not come to an end here.
#[test]
fn what_costs_much_to_look_through_is_looked_through_in_time() {
    for unit in ["<", "&lt;", "&", "<a ", "\"", "[", "1", "*", "A&", "<Value>&"] {
        let text = unit.repeat(BODY_BYTES_MAX / unit.len());
        for begin in ["<FirstName>", "{\"FirstName\":\""] {
            StandIns::new().body(format!("{begin}{text}</FirstName>").as_bytes()).expect("nobody");
        }
    }
}

#[test]
fn many_people_and_many_blanks_are_looked_through_in_time() {
    let people =
        |nth: u32| format!("2547{:04}*{:03} 2547{:08} ", nth % 9_999, nth % 997, nth * 999);
    let people: String = (0..40_000).map(people).collect();
    let made = StandIns::new().body(people.as_bytes()).expect("not too many").bytes;
    assert_eq!(made.len(), people.len(), "each in its own form");
    let half = BODY_BYTES_MAX / 2;
    let parts = "<![CDATA[".repeat(half / 9);
    let blanks = format!("<a>{}x{parts}</a>", " ".repeat(half));
    assert_eq!(StandIns::new().body(blanks.as_bytes()).expect("nobody").bytes, blanks.as_bytes());
}
