//! `iscsi://[user@]portal[,portal…]/target/lun[?option&…]`: a LUN by where it is and who asks.
//!
//! Secrets never stand in a URI: it names files that hold them. Pure; hosts are looked up when the
//! device is opened.

use std::fmt;
use std::path::PathBuf;

use byway_proto::iscsi::chap::Algorithm;
use byway_proto::iscsi::login::TargetAddress;
use byway_proto::iscsi::text::IscsiName;
use byway_proto::scsi::Lun;

use super::{Wrong, decode_text, encode_text, switch, wrong};

const OPTIONS: &str = "use initiator=NAME, isid=HEX, digest=none|header|data|all, depth=N, \
                       secret=FILE, mutual=FILE, chap=LIST and readonly=on|off";
/// Portals of one URI.
const PORTALS_MAX: usize = 8;

/// A LUN by its URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IscsiUri {
    /// Who logs in, for CHAP.
    pub user: Option<String>,
    /// Where; more than one is multipath.
    pub portals: Vec<TargetAddress>,
    /// The target's name.
    pub target: String,
    /// The logical unit's number.
    pub lun: u16,
    /// The initiator's name, where it is not derived from the host's.
    pub initiator: Option<String>,
    /// The first ISID, where it is not the default.
    pub isid: Option<[u8; 6]>,
    /// Ask for header digests.
    pub header_digest: bool,
    /// Ask for data digests.
    pub data_digest: bool,
    /// Requests in flight of one path.
    pub depth: Option<u16>,
    /// A file of mode 0600 with this host's secret.
    pub secret: Option<PathBuf>,
    /// A file of mode 0600 with the secret that the target must know.
    pub mutual: Option<PathBuf>,
    /// What CHAP offers, in this order; everything, the strongest first, where it is empty.
    pub chap: Vec<Algorithm>,
    /// Refuse writes.
    pub read_only: bool,
}

/// Reads what stands behind `iscsi:`.
pub(super) fn parse(rest: &str) -> Result<IscsiUri, Wrong> {
    let Some(rest) = rest.strip_prefix("//") else {
        return wrong("no // behind iscsi:", "write iscsi://host:3260/TARGET/LUN");
    };
    let (place, query) = rest.split_once('?').map_or((rest, None), |(p, q)| (p, Some(q)));
    let mut parts = place.split('/');
    let (authority, target, lun) = (parts.next(), parts.next(), parts.next());
    let (Some(authority), Some(target), Some(lun), None) = (authority, target, lun, parts.next())
    else {
        return wrong("not a portal, a target and a LUN", "write iscsi://host:3260/TARGET/LUN");
    };
    let (user, portals) = match authority.rsplit_once('@') {
        Some((user, portals)) => (Some(self::user(user)?), portals),
        None => (None, authority),
    };
    let mut uri = IscsiUri {
        user,
        portals: self::portals(portals)?,
        target: name("target", target)?,
        lun: number("LUN", lun, 0..=0x3fff)?,
        initiator: None,
        isid: None,
        header_digest: false,
        data_digest: false,
        depth: None,
        secret: None,
        mutual: None,
        chap: Vec::new(),
        read_only: false,
    };
    query.into_iter().flat_map(|query| query.split('&')).try_for_each(|o| option(&mut uri, o))?;
    check(uri)
}

fn check(uri: IscsiUri) -> Result<IscsiUri, Wrong> {
    if uri.secret.is_some() != uri.user.is_some() {
        let remedy = "write iscsi://USER@… and ?secret=FILE, or neither";
        return wrong("a user and a secret go together", remedy);
    }
    if uri.mutual.is_some() && uri.user.is_none() {
        return wrong("mutual= without a user", "mutual CHAP needs USER@ and secret=FILE too");
    }
    if !uri.chap.is_empty() && uri.user.is_none() {
        return wrong("chap= without a user", "CHAP needs USER@ and secret=FILE too");
    }
    Ok(uri)
}

fn user(text: &str) -> Result<String, Wrong> {
    if text.contains(':') {
        return wrong("a secret in the URI", "name a file of mode 0600 with ?secret=FILE");
    }
    let user = decode_text(text)?;
    if user.is_empty() || user.len() > 255 || user.contains(char::is_control) {
        return wrong("the user's name is no name", "write iscsi://USER@host/TARGET/LUN");
    }
    Ok(user)
}

fn portals(text: &str) -> Result<Vec<TargetAddress>, Wrong> {
    let read = |portal: &str| {
        let portal = TargetAddress::parse(portal).filter(|portal| portal.portal_group.is_none());
        portal.ok_or_else(|| {
            let problem = "a portal that is no address".to_owned();
            (problem, "write host, host:port or [v6]:port".to_owned())
        })
    };
    let portals = text.split(',').map(read).collect::<Result<Vec<_>, _>>()?;
    if portals.len() > PORTALS_MAX {
        let remedy = format!("use up to {PORTALS_MAX}");
        return wrong(format!("{} portals are too many", portals.len()), remedy);
    }
    Ok(portals)
}

fn name(what: &str, text: &str) -> Result<String, Wrong> {
    match IscsiName::new(&decode_text(text)?) {
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(error) => {
            wrong(format!("the {what}'s name '{text}': {error}"), "write iqn.YYYY-MM.domain:name")
        }
    }
}

fn number(what: &str, text: &str, range: std::ops::RangeInclusive<u16>) -> Result<u16, Wrong> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>().ok().filter(|n| digits && range.contains(n)) {
        Some(number) => Ok(number),
        None => {
            let remedy = format!("use {} to {}", range.start(), range.end());
            wrong(format!("the {what} '{text}' is no number that fits"), remedy)
        }
    }
}

fn option(uri: &mut IscsiUri, option: &str) -> Result<(), Wrong> {
    let Some((key, value)) = option.split_once('=') else {
        return wrong(format!("the option '{option}' has no value"), OPTIONS);
    };
    match key {
        "initiator" => uri.initiator = Some(name("initiator", value)?),
        "isid" => uri.isid = Some(isid(value)?),
        "digest" => (uri.header_digest, uri.data_digest) = digest(value)?,
        "depth" => uri.depth = Some(number("depth", value, 1..=256)?),
        "secret" => uri.secret = Some(file(value)?),
        "mutual" => uri.mutual = Some(file(value)?),
        "chap" => uri.chap = algorithms(value)?,
        "readonly" => uri.read_only = switch("readonly", value)?,
        _ => return wrong(format!("the option '{option}' is not known"), OPTIONS),
    }
    Ok(())
}

/// The words for what CHAP offers.
const ALGORITHMS: [(&str, Algorithm); 4] = [
    ("md5", Algorithm::Md5),
    ("sha1", Algorithm::Sha1),
    ("sha256", Algorithm::Sha256),
    ("sha3", Algorithm::Sha3_256),
];

/// Reads a list such as `sha256,md5`.
pub(super) fn algorithms(text: &str) -> Result<Vec<Algorithm>, Wrong> {
    let read = |word: &str| {
        let found = ALGORITHMS.iter().find(|(name, _)| *name == word);
        found.map(|(_, algorithm)| *algorithm).ok_or_else(|| {
            let remedy = "use md5, sha1, sha256 and sha3, with commas between them";
            (format!("the CHAP algorithm '{word}' is not known"), remedy.to_owned())
        })
    };
    text.split(',').map(read).collect()
}

fn algorithm_words(algorithms: &[Algorithm]) -> String {
    let word = |algorithm: &Algorithm| {
        let found = ALGORITHMS.iter().find(|(_, known)| known == algorithm);
        found.map_or("", |(word, _)| *word)
    };
    algorithms.iter().map(word).collect::<Vec<_>>().join(",")
}

fn isid(text: &str) -> Result<[u8; 6], Wrong> {
    let is_hex = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let Some(number) = u64::from_str_radix(text, 16).ok().filter(|_| is_hex) else {
        return wrong("an ISID that is not 12 hex digits", "write one such as isid=800000000001");
    };
    let [_, _, isid @ ..] = number.to_be_bytes();
    Ok(isid)
}

fn digest(text: &str) -> Result<(bool, bool), Wrong> {
    match text {
        "none" => Ok((false, false)),
        "header" => Ok((true, false)),
        "data" => Ok((false, true)),
        "all" => Ok((true, true)),
        _ => wrong(format!("the digest '{text}' is not known"), "use none, header, data or all"),
    }
}

fn file(text: &str) -> Result<PathBuf, Wrong> {
    match decode_text(text)? {
        path if path.is_empty() => wrong("a file without a name", "name a file of mode 0600"),
        path => Ok(path.into()),
    }
}

impl IscsiUri {
    fn options(&self) -> Vec<String> {
        let digest = match (self.header_digest, self.data_digest) {
            (false, false) => None,
            (true, false) => Some("header"),
            (false, true) => Some("data"),
            (true, true) => Some("all"),
        };
        let hex = |isid: [u8; 6]| isid.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let path = |path: &PathBuf| encode_text(&path.to_string_lossy()).replace("%2F", "/");
        let options = [
            self.initiator.as_ref().map(|name| format!("initiator={}", encode_text(name))),
            self.isid.map(|isid| format!("isid={}", hex(isid))),
            digest.map(|digest| format!("digest={digest}")),
            self.depth.map(|depth| format!("depth={depth}")),
            self.secret.as_ref().map(|file| format!("secret={}", path(file))),
            self.mutual.as_ref().map(|file| format!("mutual={}", path(file))),
            (!self.chap.is_empty()).then(|| format!("chap={}", algorithm_words(&self.chap))),
            self.read_only.then(|| "readonly=on".to_owned()),
        ];
        options.into_iter().flatten().collect()
    }
}

impl fmt::Display for IscsiUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("iscsi://")?;
        if let Some(user) = &self.user {
            write!(f, "{}@", encode_text(user))?;
        }
        let portals: Vec<_> = self.portals.iter().map(ToString::to_string).collect();
        write!(f, "{}/{}/{}", portals.join(","), encode_text(&self.target), self.lun)?;
        let options = self.options();
        if options.is_empty() { Ok(()) } else { write!(f, "?{}", options.join("&")) }
    }
}

impl IscsiUri {
    /// The logical unit's address.
    pub fn address(&self) -> Lun {
        Lun::flat(self.lun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Uri;

    fn read(text: &str) -> IscsiUri {
        match text.parse() {
            Ok(Uri::Iscsi(uri)) => *uri,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn all_parts_are_read_and_written() {
        let text = "iscsi://me@10.0.0.1:3260,[fe80::1]:860/iqn.2026-11.org.byway:disk/3?initiator=\
                    iqn.2026-11.org.byway:a&isid=800000000010&digest=all&depth=64&secret=/etc/s&\
                    mutual=/etc/m&chap=sha256,md5&readonly=on";
        let uri = read(text);
        assert_eq!(uri.user.as_deref(), Some("me"));
        assert_eq!(uri.portals.len(), 2);
        assert_eq!((uri.lun, uri.depth), (3, Some(64)));
        assert_eq!(uri.isid, Some([0x80, 0, 0, 0, 0, 0x10]));
        assert_eq!(uri.chap, [Algorithm::Sha256, Algorithm::Md5]);
        assert!(uri.header_digest && uri.data_digest && uri.read_only);
        assert_eq!(uri.to_string(), text);
    }

    #[test]
    fn a_short_one_has_the_port_of_iana() {
        let uri = read("iscsi://storage/iqn.2026-11.org.byway:disk/0");
        assert_eq!(uri.to_string(), "iscsi://storage:3260/iqn.2026-11.org.byway:disk/0");
    }

    #[test]
    fn mistakes_are_told_with_the_remedy() {
        for (text, part) in [
            ("iscsi:host/t/0", "no //"),
            ("iscsi://host/iqn.2026-11.org.byway:disk", "a portal, a target and a LUN"),
            ("iscsi://host/iqn.2026-11.org.byway:disk/0/1", "a portal, a target and a LUN"),
            ("iscsi://host/disk/0", "name 'disk'"),
            ("iscsi://ho st/iqn.2026-11.org.byway:disk/0", "no address"),
            ("iscsi://host/iqn.2026-11.org.byway:disk/x", "LUN 'x'"),
            ("iscsi://host/iqn.2026-11.org.byway:disk/99999", "LUN '99999'"),
            ("iscsi://u:p@host/iqn.2026-11.org.byway:disk/0", "a secret in the URI"),
            ("iscsi://u@host/iqn.2026-11.org.byway:disk/0", "go together"),
            ("iscsi://host/iqn.2026-11.org.byway:disk/0?secret=/x", "go together"),
            ("iscsi://host/iqn.2026-11.org.byway:disk/0?chap=md5", "without a user"),
            ("iscsi://host/iqn.2026-11.org.byway:disk/0?chap=md4", "'md4'"),
            ("iscsi://host/iqn.2026-11.org.byway:disk/0?isid=1", "12 hex digits"),
            ("iscsi://host/iqn.2026-11.org.byway:disk/0?digest=md5", "'md5'"),
            ("iscsi://host/iqn.2026-11.org.byway:disk/0?depth=0", "depth '0'"),
            ("iscsi://host/iqn.2026-11.org.byway:disk/0?cache", "no value"),
            ("iscsi://host/iqn.2026-11.org.byway:disk/0?cache=1", "not known"),
        ] {
            let message = text.parse::<Uri>().unwrap_err().to_string();
            assert!(message.contains(part) && message.contains("; "), "{message}");
        }
    }
}
