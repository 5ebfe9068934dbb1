//! Random bytes for a core: the kernel's, or the simulation's, which the seed decides.

use std::fs::File;
use std::io::Read;

use super::{Core, Driver};
use crate::error::SetupError;

/// Where the kernel gives random bytes.
const SOURCE: &str = "/dev/urandom";

impl Core {
    /// Fills `bytes` with random ones, fit for keys and challenges.
    ///
    /// # Errors
    /// Where the kernel gives none.
    pub fn random(&self, bytes: &mut [u8]) -> Result<(), SetupError> {
        if let Driver::Sim(host) = &self.driver {
            host.random(bytes);
            return Ok(());
        }
        let read = File::open(SOURCE).and_then(|mut source| source.read_exact(bytes));
        read.map_err(|cause| {
            SetupError::new(SOURCE, format!("no random bytes: {cause}"), "mount /dev with it")
        })
    }
}
