//! Ways to M-Pesa: what the engine's `port::Rail` becomes on the wire.
//!
//! [`soap`] builds and reads the broker's messages, [`daraja`] goes by REST. [`transport`] carries
//! what either sends and says with proof whether a byte may have left, [`tls`] encrypts, [`pace`]
//! keeps to what M-Pesa allows.

pub mod daraja;
pub mod pace;
pub mod soap;
pub mod tls;
pub mod transport;
