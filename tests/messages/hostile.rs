//! Bytes of any kind: something is said of each, and nothing panics.

use mlango::schema::{Schemas, Verdict};

use super::corpus::enveloped;

/// Numbers that look random, the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).expect("48 bits") % limit.max(1)
    }
}

const SCRAPS: [&[u8]; 16] = [
    b"<",
    b">",
    b"&",
    b"]]>",
    b"<![CDATA[",
    b"<!DOCTYPE a>",
    b"<?xml?>",
    b"</",
    b"/>",
    b"\"",
    b"&#0;",
    b"&lt;",
    b"\xff",
    b" xmlns:a=''",
    b" i:type='x:y'",
    b"\n",
];

const fn nth(verdict: Verdict) -> usize {
    match verdict {
        Verdict::ToSchema => 0,
        Verdict::Deviates => 1,
        Verdict::NotToSchema => 2,
        Verdict::NotUnderstood => 3,
    }
}

#[test]
fn changed_bytes_are_judged_and_panic_nowhere() {
    let schemas = Schemas::bundled().expect("our own schemas");
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let mut verdicts = [0_usize; 4];
    for (_, text) in enveloped() {
        for _ in 0..120 {
            let mut bytes = text.clone().into_bytes();
            for _ in 0..=numbers.below(3) {
                let at = numbers.below(bytes.len());
                match numbers.below(4) {
                    0 => bytes.truncate(at),
                    1 => drop(bytes.drain(at..(at + numbers.below(20)).min(bytes.len()))),
                    _ => {
                        let scrap = SCRAPS[numbers.below(SCRAPS.len())];
                        bytes.splice(at..at, scrap.iter().copied());
                    }
                }
            }
            let verdict = schemas.check(&bytes).verdict;
            verdicts[nth(verdict)] += 1;
        }
    }
    assert!(verdicts.iter().all(|count| *count > 0), "{verdicts:?}");
}

#[test]
fn what_is_too_deep_or_too_large_is_refused() {
    let schemas = Schemas::bundled().expect("our own schemas");
    let deep = "<a>".repeat(5000) + &"</a>".repeat(5000);
    let wide = format!("<a>{}</a>", "<b/>".repeat(30_000));
    let long = format!("<a>{}</a>", "x".repeat(2 * 1024 * 1024));
    let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>";
    for text in [deep.as_str(), &wide, &long, bomb, "", "  ", "{\"a\":1}", "\u{0}"] {
        let checked = schemas.check(text.as_bytes());
        assert_eq!(checked.verdict, Verdict::NotUnderstood, "{:?}", checked.findings);
        assert_eq!(checked.findings.len(), 1);
    }
}
