//! The schema that ships says what the program says: every example is good to both, every bad one
//! to neither.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jsonschema::Validator;
use mlango::sim::scenario::{Scenario, ready, words};
use serde_json::{Map, Value, json};
use toml_edit::{DocumentMut, Item, TableLike, Value as Toml};

use crate::files::bad;
use crate::support::Stage;

static SCHEMA: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(ready::SCHEMA).expect("JSON"));
static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&SCHEMA).expect("a schema"));

/// What no schema can say: how one value stands to another, and how long a time is.
const BEYOND: [&str; 7] = [
    "is less than `from`",
    "does not come after `from`",
    "is over before",
    "must be longer than nothing",
    "is never met",
    "to \"31d\"",
    "this is not TOML",
];

fn json(text: &str) -> Option<Value> {
    let document: DocumentMut = text.parse().ok()?;
    Some(table(document.as_table()))
}

fn table(table: &dyn TableLike) -> Value {
    let pair = |(name, item): (&str, &Item)| (name.to_owned(), of_item(item));
    Value::Object(table.iter().map(pair).collect::<Map<_, _>>())
}

fn of_item(item: &Item) -> Value {
    match item {
        Item::None => Value::Null,
        Item::Value(value) => of_value(value),
        Item::Table(inner) => table(inner),
        Item::ArrayOfTables(tables) => tables.iter().map(|inner| table(inner)).collect(),
    }
}

fn of_value(value: &Toml) -> Value {
    match value {
        Toml::String(text) => json!(text.value()),
        Toml::Integer(number) => json!(number.value()),
        Toml::Float(number) => json!(number.value()),
        Toml::Boolean(truth) => json!(truth.value()),
        Toml::Datetime(date) => json!({"a date": date.to_string()}),
        Toml::Array(list) => list.iter().map(of_value).collect(),
        Toml::InlineTable(inner) => table(inner),
    }
}

/// Whether the schema takes it; why not.
fn by_schema(value: &Value) -> Result<(), String> {
    VALIDATOR.validate(value).map_err(|error| format!("{} at {}", error, error.instance_path()))
}

#[test]
fn those_that_ship_are_good_to_both_in_either_form() {
    for name in ready::names() {
        let text = ready::text(name).expect(name);
        let value = json(text).expect(name);
        assert_eq!(by_schema(&value), Ok(()), "{name}");
        let as_toml = Scenario::parse(text).expect(name);
        assert_eq!(Scenario::parse_json(&value.to_string()).expect(name), as_toml, "{name}");
    }
}

#[test]
fn the_examples_of_the_manual_are_good_to_both() {
    let manual = include_str!("../../docs/scenarios.md");
    let mut examples = 0;
    for block in manual.split("```toml\n").skip(1) {
        let text = block.split("```").next().expect("an end");
        let whole = if text.contains("says = ") {
            text.to_owned()
        } else {
            format!("name = \"x\"\nsays = \"y\"\n{text}")
        };
        Scenario::parse(&whole).unwrap_or_else(|faults| panic!("{text}\n{faults}"));
        assert_eq!(by_schema(&json(&whole).expect("TOML")), Ok(()), "{text}");
        examples += 1;
    }
    assert!(examples >= 5, "{examples} examples");
}

#[test]
fn what_is_bad_to_one_is_bad_to_the_other() {
    let mut beyond = BTreeSet::new();
    for (rules, says) in bad() {
        let text = format!("name = \"x\"\nsays = \"y\"\n{rules}");
        let faults = Scenario::parse(&text).expect_err(&text).to_string();
        if let Some(what) = BEYOND.iter().find(|what| faults.contains(**what)) {
            beyond.insert(*what);
            continue;
        }
        let value = json(&text).expect("TOML");
        assert!(by_schema(&value).is_err(), "the schema takes it: {text}{says}");
        Scenario::parse_json(&value.to_string()).expect_err(&text);
    }
    assert_eq!(beyond.len(), BEYOND.len(), "each is a reason once: {beyond:?}");
    for bad in [json!({}), json!([]), json!({"name": "A", "says": "y"}), json!({"name": "a"})] {
        assert!(by_schema(&bad).is_err(), "{bad}");
        Scenario::parse_json(&bad.to_string()).expect_err("bad");
    }
}

#[test]
fn what_is_good_to_one_is_good_to_the_other() {
    let when = [
        "phone = \"0722 000-111\"",
        "phone = \"+254 722 000 111\"",
        "phone = \"722000111\"",
        "phone = [\"254110000111\"]",
        "share = \"0.01%\"",
        "share = \"100%\"",
        "share = \"99.99%\"",
        "share = \"025%\"",
        "amount = 0",
        "amount = \"0.5\"",
        "amount = {}",
        "nth = 1000000",
        "from = \"0s\", until = \"31d\"",
        "app = \"an app\"",
    ];
    let then = [
        "fail = 2040",
        "fail = \"SFC_IC0003\"",
        "act = \"give_up\", hold_for = \"1ms\"",
        "act = \"forget\", answer = \"page\"",
        "contradict = \"1\", again_after = \"1s\"",
        "result = \"waiting_first\", again_after = \"1s\", result_after = \"1s\"",
        "result = \"malformed\", malformed = \"no_code\"",
        "fault = [\"fail:2040\", \"late_callback:5\", \"http_500_after\"]",
        "answer_code = \"17\"",
        "prompt = \"cancel\"",
    ];
    let whens = when.iter().map(|when| (*when, "fail = \"1\""));
    for (when, then) in whens.chain(then.iter().map(|then| ("", *then))) {
        let text = format!(
            "name = \"x\"\nsays = \"y\"\n[[rules]]\nwhen = {{ {when} }}\nthen = {{ {then} }}\n"
        );
        Scenario::parse(&text).unwrap_or_else(|faults| panic!("{text}{faults}"));
        assert_eq!(by_schema(&json(&text).expect("TOML")), Ok(()), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_schema_has_the_programs_words_and_no_others() {
    let keys = |at: &str| -> BTreeSet<String> {
        let properties = SCHEMA.pointer(&format!("{at}/properties")).expect(at);
        properties.as_object().expect(at).keys().cloned().collect()
    };
    let table: [(&str, &[&str]); 5] = [
        ("", words::SCENARIO),
        ("/$defs/rule", words::RULE),
        ("/$defs/when", words::WHEN),
        ("/$defs/then", words::THEN),
        ("/$defs/float", words::FLOAT),
    ];
    for (at, known) in table {
        assert_eq!(keys(at), known.iter().map(|key| (*key).to_owned()).collect(), "{at}");
    }
    let known = Stage::new().await.get("/sim/faults").await;
    let set = |list: &Value| -> BTreeSet<String> {
        let list = list.as_array().expect("a list").iter();
        list.map(|one| one.as_str().expect("a name").to_owned()).collect()
    };
    let mut apis = set(&known["apis"]);
    apis.remove("*");
    assert_eq!(set(&SCHEMA["$defs"]["api"]["enum"]), apis);
    let faults = set(&known["faults"]).into_iter().filter(|name| !name.contains(':')).collect();
    assert_eq!(set(&SCHEMA["$defs"]["fault"]["anyOf"][0]["enum"]), faults);
}
