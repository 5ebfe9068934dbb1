//! Login.
mod address;
mod directory;
pub use address::*;
pub use directory::*;
