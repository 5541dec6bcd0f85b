//! Mlango: the M-Pesa gateway that a finance director would trust with the payroll.
//!
//! *The domain decides, the engine remembers, the edges talk.* `docs/architecture.md` is the map.

pub mod app;
pub mod certify;
pub mod cli;
pub mod clock;
pub mod config;
pub mod credential;
pub mod daraja;
pub mod domain;
pub mod engine;
pub mod fixture;
pub mod http;
pub mod ids;
pub mod notify;
pub mod rail;
pub mod schema;
pub mod sim;
pub mod soap;
pub mod store;
pub mod telemetry;
pub mod tls;
