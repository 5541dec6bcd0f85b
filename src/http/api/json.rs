//! JSON as its writer wrote it: no float passes for money, and no field stands twice unnoticed.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A JSON value. Lists are recognised and not kept: no field of ours is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Json<'a> {
    Null,
    Bool,
    /// A number without a point or an exponent, not below zero.
    Whole(u64),
    /// Any other number.
    OtherNumber,
    Text(Cow<'a, str>),
    List,
    Object(Vec<(Cow<'a, str>, Self)>),
}

impl Json<'_> {
    /// What it is, to be read after "must be …, not".
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::Whole(_) | Self::OtherNumber => "a number",
            Self::Text(_) => "a string",
            Self::List => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl<'a> Json<'a> {
    /// The text that it is, or what it is instead.
    pub(super) fn text(self) -> Result<Cow<'a, str>, &'static str> {
        let kind = self.kind();
        if let Self::Text(text) = self { Ok(text) } else { Err(kind) }
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyJson)
    }
}

/// A key or text, borrowed where it holds no escapes.
struct Words<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Words<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = deserializer.deserialize_str(AnyJson)?.text();
        read.map(Self).map_err(D::Error::custom)
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Whole(value))
    }

    fn visit_i64<E>(self, _below_zero: i64) -> Result<Json<'de>, E> {
        Ok(Json::OtherNumber)
    }

    #[expect(
        clippy::disallowed_types,
        reason = "serde hands floats over as this type; the value is thrown away"
    )]
    fn visit_f64<E>(self, _value: f64) -> Result<Json<'de>, E> {
        Ok(Json::OtherNumber)
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Json::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let mut object = Vec::new();
        while let Some((Words(key), value)) = entries.next_entry()? {
            object.push((key, value));
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_apart_as_they_were_written() {
        let table = [
            ("null", Json::Null),
            ("true", Json::Bool),
            ("1500", Json::Whole(1_500)),
            ("-1", Json::OtherNumber),
            ("1500.0", Json::OtherNumber),
            ("1e3", Json::OtherNumber),
            ("99999999999999999999", Json::OtherNumber),
            ("\"a\\n\"", Json::Text(Cow::Borrowed("a\n"))),
            ("[1,[2]]", Json::List),
        ];
        for (text, value) in table {
            let read: Json<'_> = serde_json::from_str(text).expect(text);
            assert_eq!(read, value, "{text}");
        }
        let twice: Json<'_> = serde_json::from_str(r#"{"a":1,"a":null}"#).expect("an object");
        let expected = vec![("a".into(), Json::Whole(1)), ("a".into(), Json::Null)];
        assert_eq!(twice, Json::Object(expected));
    }
}
