//! From a URI to a device.

use std::sync::Arc;

use byway_engine::SetupError;
use byway_engine::block::BlockDevice;
use byway_engine::block::file::{FileDevice, FileOptions};
use byway_engine::block::mem::MemDevice;
use byway_engine::block::null::NullDevice;
use byway_export::nbd::client::NbdDevice;
use byway_iscsi_initiator::IscsiDevice;

use crate::uri::Uri;

/// What the caller wants of a device, besides its URI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// Nothing will be written: open it so that nothing can be.
    pub read_only: bool,
}

/// Opens the device that `uri` names.
///
/// # Errors
/// Where it is not there, or cannot be used in the way the URI says.
pub fn open(uri: &Uri) -> Result<Arc<dyn BlockDevice>, SetupError> {
    open_with(uri, OpenOptions::default())
}

/// As [`open`], with what the caller wants of the device.
///
/// # Errors
/// As [`open`].
pub fn open_with(uri: &Uri, wanted: OpenOptions) -> Result<Arc<dyn BlockDevice>, SetupError> {
    Ok(match uri {
        Uri::File { path, direct, read_only } => {
            let read_only = *read_only || wanted.read_only;
            let options = FileOptions { direct: *direct, read_only, ..FileOptions::default() };
            Arc::new(FileDevice::open(path, options)?)
        }
        Uri::Mem(bytes) => Arc::new(MemDevice::new(*bytes)?),
        Uri::Null(bytes) => Arc::new(NullDevice::new(*bytes)),
        Uri::Iscsi(uri) => {
            let mut config = crate::iscsi::config(uri)?;
            config.read_only |= wanted.read_only;
            Arc::new(IscsiDevice::open(config)?)
        }
        Uri::Nbd(uri) => {
            let mut config = crate::nbd::config(uri)?;
            config.read_only |= wanted.read_only;
            Arc::new(NbdDevice::open(config)?)
        }
        Uri::Fs(uri) => crate::volume::open(uri, wanted)?,
    })
}
