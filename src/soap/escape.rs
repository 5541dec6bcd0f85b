//! Text in XML: references, escapes, CDATA, and which characters are allowed at all.

use std::borrow::Cow;

/// How much of a foreign text an error repeats, in characters.
const EXCERPT_MAX: usize = 60;

/// Blanks and byte order marks off both ends.
pub fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}')
}

/// What a reference stands for: the five names of XML and character references; no other entity
/// exists here.
pub fn resolve(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).map(|c| if is_legal(c) { c } else { '\u{FFFD}' })
        }
    }
}

/// Replaces references in `text`; an unknown one stays as it stands.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut parts = text.split('&');
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let known = part.split_once(';').and_then(|(name, rest)| Some((resolve(name)?, rest)));
        match known {
            Some((c, rest)) => {
                plain.push(c);
                plain.push_str(rest);
            }
            None => {
                plain.push('&');
                plain.push_str(part);
            }
        }
    }
    Cow::Owned(plain)
}

/// The beginning of a foreign text, for an error.
pub fn excerpt(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(EXCERPT_MAX).collect()
}

/// Whether XML 1.0 allows the character at all.
pub const fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Appends `text` as element content. Characters that XML cannot carry, such as control
/// characters, are left out: they must not reach the wire, and no value of ours means anything
/// by them.
pub fn push_text(out: &mut String, text: &str) {
    push_escaped(out, text, false);
}

/// Appends `text` as the inside of an attribute value in double quotes.
pub fn push_attribute(out: &mut String, text: &str) {
    push_escaped(out, text, true);
}

fn push_escaped(out: &mut String, text: &str, in_attribute: bool) {
    // Nearly every value is plain; looking is cheaper than taking it apart.
    let is_plain =
        |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'&' | b'<' | b'>' | b'"');
    if text.bytes().all(is_plain) {
        out.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A reader would make a line feed of it.
            '\r' => out.push_str("&#13;"),
            '"' if in_attribute => out.push_str("&quot;"),
            '\n' if in_attribute => out.push_str("&#10;"),
            '\t' if in_attribute => out.push_str("&#9;"),
            c if is_legal(c) => out.push(c),
            _ => {}
        }
    }
}

/// Appends `text` as CDATA; a `]]>` inside is split over two sections.
pub fn push_cdata(out: &mut String, text: &str) {
    out.push_str("<![CDATA[");
    for (index, part) in text.split("]]>").enumerate() {
        if index > 0 {
            out.push_str("]]]]><![CDATA[>");
        }
        if part.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~')) {
            out.push_str(part);
        } else {
            out.extend(part.chars().filter(|c| is_legal(*c)));
        }
    }
    out.push_str("]]>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_cdata_inside_cdata_is_split() {
        let table = [
            ("plain", "<![CDATA[plain]]>"),
            ("a]]>b", "<![CDATA[a]]]]><![CDATA[>b]]>"),
            ("]]>", "<![CDATA[]]]]><![CDATA[>]]>"),
            ("]]]]>>", "<![CDATA[]]]]]]><![CDATA[>>]]>"),
            ("\u{0}é\u{1b}]", "<![CDATA[é]]]>"),
        ];
        for (text, expected) in table {
            let mut out = String::new();
            push_cdata(&mut out, text);
            assert_eq!(out, expected);
            let wrapped = format!("<a>{out}</a>");
            let read = crate::soap::xml::parse(&wrapped).expect("well-formed");
            let kept: String = text.chars().filter(|c| is_legal(*c)).collect();
            assert_eq!(read.text, kept);
        }
    }

    #[test]
    fn what_xml_cannot_carry_is_left_out_and_the_rest_escaped() {
        let mut text = String::new();
        push_text(&mut text, "<a> & \"b\"\r\n\u{0}\u{8}\u{ffff}ñ");
        assert_eq!(text, "&lt;a&gt; &amp; \"b\"&#13;\nñ");
        let mut attribute = String::new();
        push_attribute(&mut attribute, "<a> & \"b\"\r\n\t");
        assert_eq!(attribute, "&lt;a&gt; &amp; &quot;b&quot;&#13;&#10;&#9;");
    }

    #[test]
    fn only_the_five_names_and_character_numbers_are_resolved() {
        let table = [
            ("&amp;&lt;&gt;&quot;&apos;", "&<>\"'"),
            ("&#65;&#x42;", "AB"),
            ("&#0;&#x1b;", "\u{FFFD}\u{FFFD}"),
            ("&#xD800; &#99999999;", "&#xD800; &#99999999;"),
            ("&xxe; & &;", "&xxe; & &;"),
        ];
        for (text, expected) in table {
            assert_eq!(unescape(text), expected);
        }
    }
}
