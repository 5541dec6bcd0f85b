//! The engine: it remembers what the domain decides, and performs what follows.
//!
//! It sees the outside only through [`port`].

pub mod port;
