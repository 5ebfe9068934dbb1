//! A device with an export behind it: attached, and tended while its server comes and goes.

use std::time::Duration;

use byway_engine::SetupError;
use byway_proto::netlink::nbd::{Connect, Order};

use super::control::{Control, Links};
use super::dial::{Link, dial};
use super::held::Held;
use super::terms::Terms;
use super::{Backend, Disk};

/// Sockets of one device; the driver takes more, but nobody needs them.
pub const CONNECTIONS_MAX: u32 = 16;
/// Silent spans after which the export's size is looked at.
const LOOK_EVERY: u32 = 2;
/// How long a look at the driver's progress waits for the next one.
const STEP: Duration = Duration::from_millis(20);
/// Looks for a moment without requests, before links end that have some.
const IDLE_LOOKS: u32 = 100;
/// Looks for the ends of links, and for each to be seen by the driver.
const END_LOOKS: u32 = 250;
const SECTOR: u64 = 512;

/// What is to be attached where, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachConfig {
    /// N of `/dev/nbdN`.
    pub index: u32,
    /// The export.
    pub backend: Backend,
    /// Sockets, from 1 to [`CONNECTIONS_MAX`].
    pub connections: u32,
    /// Fail where the server takes fewer; else one does.
    pub insist: bool,
    /// How long a request may take, in seconds, at least 1. It must be longer than the storage
    /// behind the server takes to recover: what runs out is sent again, on another socket. What was
    /// in flight when a server died waits as long, too.
    pub timeout_s: u64,
    /// How long requests wait for a server where all sockets are dead, in seconds.
    pub dead_timeout_s: u64,
    /// Refuse writes, whatever the export allows.
    pub read_only: bool,
}

/// What came of a span of tending.
#[derive(Debug)]
pub enum Tended {
    /// Nothing happened.
    Quiet,
    /// So many dead sockets were replaced; none is dead any more.
    Restored(u32),
    /// Sockets are dead and the server cannot take them up, for this reason.
    Waiting(SetupError),
    /// The export has another size, and the device follows; in bytes.
    Resized {
        /// Before.
        from: u64,
        /// Now.
        to: u64,
    },
    /// The export has another size, and the kernel refuses it for this reason.
    NotResized(SetupError),
    /// Somebody has detached the device.
    Detached,
}

/// An attached device. Dropping it leaves the device as it is.
#[derive(Debug)]
pub struct Attachment {
    config: AttachConfig,
    control: Control,
    links: Links,
    terms: Terms,
    backend: String,
    connections: u32,
    size: u64,
    /// A size that could not be followed: once is enough.
    unfollowed: Option<u64>,
    held: Held,
    was_attached: bool,
    /// Sockets may be dead.
    is_hurt: bool,
    silent_spans: u32,
}

impl Attachment {
    /// Attaches the export, or takes up a device that has it already.
    ///
    /// # Errors
    /// Where the driver is not loaded, the device has something else behind it, the server does not
    /// let in or its export is not fit for the kernel.
    ///
    /// # Panics
    /// Where the configuration breaks its limits.
    pub fn open(config: AttachConfig) -> Result<Attachment, SetupError> {
        assert!((1..=CONNECTIONS_MAX).contains(&config.connections), "a number of sockets");
        assert!(config.timeout_s > 0, "only a limit of time shows which sockets the driver took");
        let mut control = Control::open()?;
        let was_attached = control.is_attached(config.index)?;
        if was_attached {
            check_backend(&config)?;
        }
        // Before the first socket is handed over, so that none can die unseen.
        let links = control.links()?;
        let first = dial(&config.backend)?;
        let terms = Terms::of(&first.opened, config.read_only)
            .map_err(|why| unfit(&config.backend, why))?;
        let mut attachment = Attachment {
            backend: config.backend.to_string(),
            connections: connections(&config, &terms)?,
            size: first.opened.size,
            unfollowed: None,
            held: Held::default(),
            is_hurt: was_attached,
            silent_spans: 0,
            config,
            control,
            links,
            terms,
            was_attached,
        };
        if was_attached {
            attachment.take_up(first);
        } else {
            attachment.connect(first)?;
        }
        attachment.tune();
        Ok(attachment)
    }

    /// Whether the device was there before, with this very export.
    pub fn was_attached(&self) -> bool {
        self.was_attached
    }

    /// Sockets of the device, as far as this value knows.
    pub fn connections(&self) -> u32 {
        self.connections
    }

    /// Bytes of the device.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether writes are refused.
    pub fn is_read_only(&self) -> bool {
        self.terms.is_read_only()
    }

    /// The device, as the kernel shows it.
    pub fn disk(&self) -> Disk {
        Disk { index: self.config.index }
    }

    /// Tends the device for one span: replaces sockets that died, follows the size. To be called
    /// again and again.
    ///
    /// # Errors
    /// Where the driver does not answer.
    pub fn tend(&mut self, span: Duration) -> Result<Tended, SetupError> {
        if self.links.wait(self.config.index, span) {
            self.is_hurt = true;
        }
        if !self.control.is_attached(self.config.index)? {
            return Ok(Tended::Detached);
        }
        if self.is_hurt {
            return self.restore();
        }
        self.silent_spans += 1;
        if self.silent_spans < LOOK_EVERY {
            return Ok(Tended::Quiet);
        }
        self.silent_spans = 0;
        // A server that is going away is noticed by its sockets, not by this.
        let Ok(link) = dial(&self.config.backend) else { return Ok(Tended::Quiet) };
        let size = link.opened.size;
        link.leave();
        self.follow(size)
    }

    /// Replaces sockets until the driver takes none: then all are alive.
    ///
    /// # Errors
    /// Where the driver does not answer.
    pub fn restore(&mut self) -> Result<Tended, SetupError> {
        self.links.drain();
        self.held.forget_ended();
        let (mut restored, mut size) = (0, self.size);
        while restored < CONNECTIONS_MAX {
            let link = match self.dial_checked() {
                Ok(link) => link,
                Err(why) => return Ok(Tended::Waiting(why)),
            };
            size = link.opened.size;
            if !self.replace(link)? {
                break;
            }
            restored += 1;
        }
        self.is_hurt = false;
        if restored > 0 {
            // What links of others did not allow, new ones may.
            self.unfollowed = None;
        }
        if restored > 0 && self.is_same_size(size) {
            return Ok(Tended::Restored(restored));
        }
        self.follow(size)
    }

    /// Takes up a device whose sockets another process has connected.
    fn take_up(&mut self, first: Link) {
        first.leave();
        self.size = self.disk().size().unwrap_or(self.size);
    }

    fn connect(&mut self, first: Link) -> Result<(), SetupError> {
        let mut links = vec![first];
        for _ in 1..self.connections {
            links.push(self.dial_checked()?);
        }
        let sockets: Vec<_> = links.iter().map(Link::descriptor).collect();
        let connect = Connect {
            index: self.config.index,
            size: self.size,
            block_len: self.terms.block_len,
            timeout_s: self.config.timeout_s,
            dead_timeout_s: self.config.dead_timeout_s,
            server_flags: self.terms.flags.0,
            sockets: &sockets,
            backend: &self.backend,
        };
        let connected = self.control.connect(&connect)?;
        connected.map_err(|refusal| refusal.explain(self.disk().device()))?;
        links.into_iter().for_each(|link| self.held.add(link));
        Ok(())
    }

    /// A link to an export that does what the kernel was told.
    fn dial_checked(&self) -> Result<Link, SetupError> {
        let link = dial(&self.config.backend)?;
        let terms = Terms::of(&link.opened, self.config.read_only);
        match terms.map(|terms| self.terms.unmet_by(&terms)) {
            Ok(None) => Ok(link),
            Ok(Some(why)) | Err(why) => Err(unfit(&self.config.backend, why)),
        }
    }

    /// Offers a socket; whether the driver took it, since one was dead.
    fn replace(&mut self, link: Link) -> Result<bool, SetupError> {
        let (index, socket) = (self.config.index, link.descriptor());
        let order = Order::Replace { index, socket, backend: &self.backend };
        let done = self.control.order(&order)?;
        done.map_err(|refusal| refusal.explain(self.disk().device()))?;
        let is_taken = link.is_taken();
        if is_taken {
            self.held.add(link);
        } else {
            link.leave();
        }
        Ok(is_taken)
    }

    fn is_same_size(&self, size: u64) -> bool {
        // The kernel counts whole sectors.
        size / SECTOR == self.size / SECTOR
    }

    /// Gives the device the size of its export. No socket is dead here: what is in flight ends.
    fn follow(&mut self, size: u64) -> Result<Tended, SetupError> {
        if self.is_same_size(size) || self.unfollowed == Some(size) {
            return Ok(Tended::Quiet);
        }
        if !self.held.knows(size, self.connections) {
            if !self.held.is_whole(self.connections) {
                self.unfollowed = Some(size);
                return Ok(Tended::NotResized(self.foreign_links(size)));
            }
            if let Some(why) = self.renew()? {
                return Ok(Tended::Waiting(why));
            }
        }
        let from = self.size;
        let order = Order::Resize { index: self.config.index, size, backend: &self.backend };
        if let Err(refusal) = self.control.order(&order)? {
            self.unfollowed = Some(size);
            return Ok(Tended::NotResized(refusal.explain(self.disk().device())));
        }
        self.size = size;
        self.tune();
        Ok(Tended::Resized { from, to: size })
    }

    /// Puts new links in the place of all, which know the export's size of now. The error is the
    /// server's, whose links are all dead then.
    fn renew(&mut self) -> Result<Option<SetupError>, SetupError> {
        self.wait_until(IDLE_LOOKS, |own| own.disk().is_idle());
        self.held.end_sending();
        self.wait_until(END_LOOKS, |own| own.held.have_ended());
        self.held.end();
        self.is_hurt = true;
        for _ in 0..self.connections {
            // The driver needs a moment to see that a link has ended.
            for look in 0..END_LOOKS {
                let link = match self.dial_checked() {
                    Ok(link) => link,
                    Err(why) => return Ok(Some(why)),
                };
                if self.replace(link)? || look + 1 == END_LOOKS {
                    break;
                }
                self.links.wait(self.config.index, STEP);
            }
        }
        self.links.drain();
        if self.held.is_whole(self.connections) {
            self.is_hurt = false;
            return Ok(None);
        }
        let (problem, remedy) = ("old connections do not end", "see dmesg for the driver's reason");
        Ok(Some(SetupError::new(self.disk().device(), problem, remedy)))
    }

    fn wait_until(&mut self, looks: u32, condition: impl Fn(&Attachment) -> bool) {
        for _ in 0..looks {
            if condition(self) {
                return;
            }
            // Waits for what comes while it waits.
            self.links.wait(self.config.index, STEP);
        }
    }

    /// Why the size cannot be followed: links of another process cannot be ended from here.
    fn foreign_links(&self, size: u64) -> SetupError {
        let problem = format!(
            "the export has {size} bytes, and connections that another process made know {} alone",
            self.size
        );
        let remedy = "restart the server while this watches, or detach and attach again";
        SetupError::new(self.disk().device(), problem, remedy)
    }

    fn tune(&self) {
        let disk = self.disk();
        if let Err(error) = disk.raise_request_len(self.terms.request_len_max) {
            tracing::warn!(device = disk.device(), %error, "requests stay short: max_sectors_kb");
        }
    }
}

fn unfit(backend: &Backend, why: String) -> SetupError {
    SetupError::new(backend.to_string(), why, "correct the export, or detach and attach again")
}

/// The device is attached: is it this export?
fn check_backend(config: &AttachConfig) -> Result<(), SetupError> {
    let disk = Disk { index: config.index };
    match disk.backend() {
        Some(there) if there == config.backend.to_string() => Ok(()),
        there => {
            let there = there.unwrap_or_else(|| "something without a name".into());
            let remedy = "take another device, or detach it: byway nbd list, byway nbd detach";
            Err(SetupError::new(disk.device(), format!("it is in use by {there}"), remedy))
        }
    }
}

fn connections(config: &AttachConfig, terms: &Terms) -> Result<u32, SetupError> {
    if config.connections == 1 || terms.takes_many() {
        return Ok(config.connections);
    }
    if config.insist {
        let problem = "the server does not take several connections to one export";
        return Err(SetupError::new(config.backend.to_string(), problem, "use --connections 1"));
    }
    tracing::info!("the server does not take several connections: one is used");
    Ok(1)
}
