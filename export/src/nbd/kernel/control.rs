//! Requests to the kernel's NBD driver, and the notices of links that died.

use std::io;
use std::time::Duration;

use byway_engine::SetupError;
use byway_engine::net::{NETLINK_DATAGRAM_MAX, Netlink};
use byway_proto::netlink::nbd::{self, Connect, DeviceStatus, Notice, Order, notice};
use byway_proto::netlink::{Content, Family, Request, family_of, get_family, messages};

/// How long the kernel may take for an answer that it has given before sending returned.
const ANSWER: Duration = Duration::from_secs(10);
/// How long notices are looked for that have come already.
const AT_ONCE: Duration = Duration::from_millis(1);
/// Datagrams that an answer may consist of.
const DATAGRAMS_MAX: u32 = 64;

/// ENOENT: the kernel has no such family.
const NO_ENTRY: u32 = 2;

/// How the driver refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Positive.
    pub(super) errno: u32,
}

impl Refusal {
    pub(super) const NOT_PERMITTED: u32 = 1;
    pub(super) const BUSY: u32 = 16;

    pub(super) fn explain(self, thing: String) -> SetupError {
        let (problem, remedy) = match self.errno {
            Refusal::NOT_PERMITTED => ("only root may change it".to_owned(), "use sudo"),
            Refusal::BUSY => {
                let remedy = "take another device, or detach it: byway nbd list, byway nbd detach";
                ("it is in use".to_owned(), remedy)
            }
            errno => {
                let cause = io::Error::from_raw_os_error(errno.cast_signed());
                (format!("the kernel refuses: {cause}"), "see dmesg for the driver's reason")
            }
        };
        SetupError::new(thing, problem, remedy)
    }
}

/// The kernel's NBD driver.
#[derive(Debug)]
pub struct Control {
    netlink: Netlink,
    family: Family,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Control {
    /// Finds the driver.
    ///
    /// # Errors
    /// Where the kernel has no netlink, or the driver is not loaded.
    pub fn open() -> Result<Control, SetupError> {
        let family = Family { id: 0, groups: Vec::new() };
        let buffer = vec![0; NETLINK_DATAGRAM_MAX];
        let mut control = Control { netlink: Netlink::generic()?, family, sequence: 0, buffer };
        control.family = control.find()?;
        Ok(control)
    }

    /// Which devices there are; all, or one.
    ///
    /// # Errors
    /// Where the driver does not answer.
    pub fn status(&mut self, index: Option<u32>) -> Result<Vec<DeviceStatus>, SetupError> {
        match self.order(&Order::Status(index))? {
            Ok(Some(Notice::Devices(devices))) => Ok(devices),
            Ok(_) => Err(broken("it listed no devices")),
            Err(refusal) => Err(refusal.explain("the list of NBD devices".into())),
        }
    }

    /// Whether something is attached there.
    ///
    /// # Errors
    /// Where the driver does not answer.
    pub fn is_attached(&mut self, index: u32) -> Result<bool, SetupError> {
        let devices = self.status(Some(index))?;
        Ok(devices.iter().any(|device| device.index == index && device.is_connected))
    }

    /// Ends a device, whatever is in flight or mounted.
    ///
    /// # Errors
    /// Where nothing is attached, or the driver refuses.
    pub fn detach(&mut self, index: u32) -> Result<(), SetupError> {
        let thing = || format!("/dev/nbd{index}");
        if !self.is_attached(index)? {
            return Err(SetupError::new(
                thing(),
                "nothing is attached there",
                "see byway nbd list for the devices in use",
            ));
        }
        let done = self.order(&Order::Disconnect(index))?;
        done.map(|_| ()).map_err(|refusal| refusal.explain(thing()))
    }

    /// Listens for links that die, from this moment on.
    ///
    /// # Errors
    /// Where the driver has no such group, or the kernel refuses.
    pub fn links(&self) -> Result<Links, SetupError> {
        let group = self.family.group(nbd::GROUP);
        let group = group.ok_or_else(|| broken("it tells of no dead links"))?;
        let netlink = Netlink::generic()?;
        netlink.join(group).map_err(|cause| {
            SetupError::new("notices of dead links", cause.to_string(), "use sudo")
        })?;
        let buffer = vec![0; NETLINK_DATAGRAM_MAX];
        Ok(Links { netlink, family: self.family.id, buffer })
    }

    pub(super) fn connect(
        &mut self,
        connect: &Connect<'_>,
    ) -> Result<Result<(), Refusal>, SetupError> {
        let request = connect.request(self.family.id);
        Ok(self.ask(&request)?.map(|_| ()))
    }

    pub(super) fn order(
        &mut self,
        order: &Order<'_>,
    ) -> Result<Result<Option<Notice>, Refusal>, SetupError> {
        let request = order.request(self.family.id);
        self.ask(&request)
    }

    fn find(&mut self) -> Result<Family, SetupError> {
        let mut family = None;
        let ended = self.exchange(&get_family(nbd::FAMILY), |content| {
            if let Content::Generic { attributes, .. } = content {
                family = family_of(attributes.clone()).ok();
            }
        })?;
        match (ended, family) {
            (Ok(()), Some(family)) => Ok(family),
            (Err(Refusal { errno: NO_ENTRY }), _) => Err(SetupError::new(
                "the kernel's NBD driver",
                "it is not loaded",
                "load it: modprobe nbd nbds_max=16",
            )),
            (Err(refusal), _) => Err(refusal.explain("the kernel's NBD driver".into())),
            (Ok(()), None) => Err(broken("the kernel tells no number of it")),
        }
    }

    fn ask(&mut self, request: &Request) -> Result<Result<Option<Notice>, Refusal>, SetupError> {
        let (mut told, family) = (None, self.family.id);
        let ended = self.exchange(request, |content| {
            if let Ok(Some(notice)) = notice(content, family) {
                told = Some(notice);
            }
        })?;
        Ok(ended.map(|()| told))
    }

    /// Sends a request and hands over what comes back, up to its end.
    fn exchange(
        &mut self,
        request: &Request,
        mut take: impl FnMut(&Content<'_>),
    ) -> Result<Result<(), Refusal>, SetupError> {
        self.sequence = self.sequence.wrapping_add(1);
        let lost = |cause: io::Error| broken(&cause.to_string());
        self.netlink.send(&request.encode(self.sequence)).map_err(lost)?;
        for _ in 0..DATAGRAMS_MAX {
            let len = self.netlink.receive(&mut self.buffer, ANSWER).map_err(lost)?;
            let Some(datagram) = len.and_then(|len| self.buffer.get(..len)) else { continue };
            let own = messages(datagram).flatten().filter(|m| m.sequence == self.sequence);
            for message in own {
                match message.content {
                    Content::Ended(0) => return Ok(Ok(())),
                    Content::Ended(errno) => return Ok(Err(Refusal { errno })),
                    content => take(&content),
                }
            }
        }
        Err(broken("it does not answer"))
    }
}

fn broken(problem: &str) -> SetupError {
    SetupError::new("the kernel's NBD driver", problem, "use a kernel of version 6.1 or newer")
}

/// The notices of links that died.
#[derive(Debug)]
pub struct Links {
    netlink: Netlink,
    family: u16,
    buffer: Vec<u8>,
}

impl Links {
    /// Waits until a link of the device dies, at most for `span`. True, too, where notices may have
    /// been lost; false for silence, and for a signal.
    pub fn wait(&mut self, index: u32, span: Duration) -> bool {
        match self.netlink.receive(&mut self.buffer, span) {
            Ok(None) => false,
            // The kernel had no room for a notice.
            Err(_) => true,
            Ok(Some(len)) => {
                let datagram = self.buffer.get(..len).unwrap_or_default();
                let told = |content| notice(&content, self.family).ok().flatten();
                let mut notices = messages(datagram).flatten().filter_map(|m| told(m.content));
                notices.any(|notice| notice == Notice::LinkDead(index))
            }
        }
    }

    /// Forgets what has come already, all of which is about to be dealt with.
    pub(super) fn drain(&mut self) {
        for _ in 0..DATAGRAMS_MAX {
            if !matches!(self.netlink.receive(&mut self.buffer, AT_ONCE), Ok(Some(_))) {
                return;
            }
        }
    }
}
