//! The HTTP edge: what finance systems ask, what M-Pesa posts, what an operator looks at.
//!
//! [`server`] takes connections. [`router`] is the one list of what the API serves, each with the
//! scope that it needs; [`guard`] says how often, and [`openapi`] describes the same list.
//! [`callback`] is the other listener, for M-Pesa alone, and [`admin`] the socket file beside the
//! store. Nothing here decides: bytes become values, the engine does the rest, and every refusal
//! is a [`problem`].

pub mod admin;
pub mod api;
pub mod apps;
pub mod auth;
pub mod callback;
pub mod guard;
pub mod notes;
pub mod openapi;
pub mod problem;
pub mod router;
pub mod server;
pub mod throttle;

mod body;
mod observe;

pub use body::BodyLimits;
