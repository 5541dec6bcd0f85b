//! Money in: what a customer paid to a short code of ours.

mod notice;

pub use notice::{C2bNotice, NoticeKind, Payer, PayerPhone};
