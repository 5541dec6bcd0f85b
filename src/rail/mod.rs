//! Ways to M-Pesa: what the engine's `port::Rail` becomes on the wire.
//!
//! [`soap`] builds and reads the broker's messages, [`soap_counter`] asks it everything else,
//! [`daraja`] goes by REST. [`transport`] carries them and says with proof whether a byte may have
//! left, [`link`] remembers how far the way went, [`pace`] keeps to what M-Pesa allows.

pub mod daraja;
pub mod link;
pub mod pace;
pub mod renewable;
pub mod soap;
pub mod soap_counter;
pub mod transport;
