//! The engine and money in: prompts, callbacks, confirmations, claims, inquiries and texts.

mod c2b;
mod house;
mod inquiries;
mod joining;
mod query;
mod random;
mod stk;
mod texts;
