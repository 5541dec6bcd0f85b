//! SOAP messages as bytes and values: no socket, no clock, no state.
//!
//! Writing has one canonical form in the order of the schema (`wsdl/`, [`schema`]); reading takes
//! everything that spec/soap.md §9 has seen in the wild. The gateway and the simulator share this
//! room, each using the other half of every message.

pub mod ack;
pub mod c2b;
pub mod envelope;
pub mod escape;
pub mod fault;
pub mod header;
pub mod operation;
pub mod redact;
pub mod register;
pub mod request;
pub mod response;
pub mod result;
pub mod schema;
pub mod show;
pub mod status_query;
pub mod timeout;
mod unmask;
pub mod wsdl;
pub mod xml;

pub use envelope::Unreadable;
