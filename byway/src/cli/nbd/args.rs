//! The shape of `byway nbd`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum NbdCommand {
    /// Attach an export of any NBD server to the kernel as /dev/nbdN
    #[command(long_about = ATTACH, after_long_help = ATTACH_EXAMPLES)]
    Attach(AttachArgs),
    /// End a device; refuses while something uses it
    Detach(DetachArgs),
    /// List the devices that something is attached to
    List(ListArgs),
}

const ATTACH: &str = "\
Attach an export of any NBD server to the kernel as /dev/nbdN.

The command connects, shakes hands, gives the sockets to the kernel and returns; the device stays \
until byway nbd detach. A server that takes several connections gets four of them. Root only; the \
kernel's module has to be loaded (modprobe nbd nbds_max=16).

With --watch it stays, connects again when the server was restarted, and makes the device follow the \
size of the export. Ending it leaves the device as it is; the same command takes it up again, also \
after the watching process was killed. Without anybody who watches, a device whose server was \
restarted stays dead, until the same command is run again.

A device grows behind new connections alone, which know the new size: the watcher makes them where \
it has made the old ones, too. Where another process did, it waits for the server's next restart.";

const ATTACH_EXAMPLES: &str = "\
Examples:
  byway nbd attach 'nbd+unix:///disk?socket=/run/byway/nbd.sock' /dev/nbd0
  byway nbd attach nbd://127.0.0.1:10809/disk /dev/nbd1 --read-only
  byway nbd attach 'nbd+unix:///disk?socket=/run/byway/nbd.sock' /dev/nbd0 --watch --timeout 60s

The two times:
  A request that takes longer than --timeout is sent again on another connection, while the
  server may still be at work on the first one. So it has to be longer than the storage behind
  the server takes to recover. What was in flight when a server was killed is sent again only
  after that time, too: shorter means a shorter pause then. A server that is stopped answers
  everything first. While no connection is left, requests wait for --dead-timeout and then fail.

As a service, --watch says READY=1 to systemd (Type=notify) when the device is there.";

#[derive(Debug, clap::Args)]
pub(crate) struct AttachArgs {
    /// The export: nbd+unix:///NAME?socket=/PATH or nbd://HOST:PORT/NAME
    pub(crate) export: String,
    /// The device: /dev/nbdN
    pub(crate) device: String,
    /// Sockets to the server [default: 4, or 1 where the server takes no more]
    #[arg(long, value_name = "N")]
    pub(crate) connections: Option<u32>,
    /// How long a request may take; longer than the storage takes to recover
    #[arg(long, value_name = "TIME", default_value = "180s")]
    pub(crate) timeout: String,
    /// How long requests wait for a server that has gone away, before they fail
    #[arg(long, value_name = "TIME", default_value = "600s")]
    pub(crate) dead_timeout: String,
    /// Refuse writes
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Stay, connect again after the server was restarted, and follow the export's size
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DetachArgs {
    /// The device: /dev/nbdN
    pub(crate) device: String,
    /// Detach although it is mounted or used otherwise: what was not written yet is lost
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
