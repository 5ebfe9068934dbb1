//! `byway nbd detach`: ends a device, where nobody uses it.

use byway_export::nbd::kernel::{Control, Disk};

use super::super::failure::Failure;
use super::args::DetachArgs;
use super::place;

pub(super) fn run(args: &DetachArgs) -> Result<(), Failure> {
    let disk = Disk { index: place::index(&args.device)? };
    let mut control = Control::open()?;
    if let Some(user) = disk.user().filter(|_| !args.force) {
        return Err(Failure::failed(format!(
            "{}: it is in use by {user}; unmount it first, or lose data with --force",
            disk.device()
        )));
    }
    Ok(control.detach(disk.index)?)
}
