//! Money in: what a customer paid to a short code of ours.

mod notice;

pub use notice::{C2bNotice, Lacks, NoticeKind, NoticeWords, Payer, PayerPhone, Rejection};
