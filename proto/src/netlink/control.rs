//! The controller of generic netlink: which number a family has, and its multicast groups.

use alloc::string::String;
use alloc::vec::Vec;

use super::{AttributeWriter, Attributes, NetlinkError, Request};

/// `GENL_ID_CTRL`: the family that tells of families.
const CONTROLLER: u16 = 16;
const CONTROLLER_VERSION: u8 = 2;
/// `CTRL_CMD_GETFAMILY`.
const GET_FAMILY: u8 = 3;
/// `CTRL_ATTR_*`.
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
const GROUPS: u16 = 7;
/// `CTRL_ATTR_MCAST_GRP_*`.
const GROUP_NAME: u16 = 1;
const GROUP_ID: u16 = 2;
/// Groups of a family that are looked at.
const GROUPS_MAX: usize = 64;

/// A family, as this boot of the kernel numbers it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Family {
    /// Its number, the kind of its messages.
    pub id: u16,
    /// Its multicast groups with their numbers.
    pub groups: Vec<(String, u32)>,
}

impl Family {
    /// The number of a multicast group.
    pub fn group(&self, name: &str) -> Option<u32> {
        self.groups.iter().find(|(there, _)| there == name).map(|(_, id)| *id)
    }
}

/// Asks for the family with that name. The kernel answers ENOENT where it has none.
pub fn get_family(name: &str) -> Request {
    let mut attributes = AttributeWriter::default();
    attributes.text(FAMILY_NAME, name);
    let (family, version, command) = (CONTROLLER, CONTROLLER_VERSION, GET_FAMILY);
    Request { family, version, command, attributes }
}

/// The answer to it.
///
/// # Errors
/// Where the attributes are broken, or tell no number.
pub fn family_of(attributes: Attributes<'_>) -> Result<Family, NetlinkError> {
    let id = attributes.clone().find(FAMILY_ID)?.u16()?;
    let mut groups = Vec::new();
    if let Ok(list) = attributes.find(GROUPS) {
        for item in list.nested().take(GROUPS_MAX) {
            let item = item?.nested();
            let name = item.clone().find(GROUP_NAME)?.text();
            let id = item.find(GROUP_ID)?.u32()?;
            groups.push((String::from_utf8_lossy(name).into_owned(), id));
        }
    }
    Ok(Family { id, groups })
}
