//! Who a logical unit is: INQUIRY data, serial number, designators (SPC-4 sections 6.6 and 7.8).

use byway_proto::scsi::data::{Designator, StandardInquiry, vpd};
use serde::Serialize;

use super::Unit;

/// Names of a logical unit.
#[derive(Clone, Debug, Serialize)]
pub struct Identity {
    /// The kind of device: disk, controller, or its number.
    pub kind: String,
    /// T10 vendor identification.
    pub vendor: String,
    /// Product.
    pub product: String,
    /// Revision.
    pub revision: String,
    /// Unit serial number.
    pub serial: Option<String>,
    /// The designators of the unit, such as naa:6001405…
    pub designators: Vec<String>,
}

/// The identity, and whether the unit speaks ALUA.
pub(super) async fn ask(unit: &Unit<'_>) -> Result<(Identity, bool), String> {
    let bytes = unit.inquire(None).await?;
    let about = StandardInquiry::parse(&bytes).ok_or("its INQUIRY data are too short")?;
    let serial = unit.inquire(Some(vpd::SERIAL)).await.ok();
    let serial = serial.as_deref().and_then(|page| vpd::body_of(page, vpd::SERIAL)).map(words);
    let page = unit.inquire(Some(vpd::IDENTIFICATION)).await.ok();
    let designators = page.and_then(|page| vpd::parse_identification(&page)).unwrap_or_default();
    let identity = Identity {
        kind: kind(about.device_type),
        vendor: words(&about.vendor),
        product: words(&about.product),
        revision: words(&about.revision),
        serial: serial.filter(|serial| !serial.is_empty()),
        designators: designators.iter().filter_map(designator).collect(),
    };
    Ok((identity, about.port_groups != 0))
}

/// Device types of SPC-4 table 139 that LUNs are met with.
fn kind(device_type: u8) -> String {
    match device_type {
        0x00 => "disk".into(),
        0x01 => "tape".into(),
        0x05 => "optical".into(),
        0x0c => "controller".into(),
        0x0d => "enclosure".into(),
        0x1f => "absent".into(),
        other => format!("type {other:#04x}"),
    }
}

/// Text as it was meant: without the blanks and zeroes around it, control characters replaced.
fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_matches(|c: char| c == ' ' || c == '\0');
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn designator(designator: &Designator) -> Option<String> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Some(match designator {
        Designator::T10(bytes) => format!("t10:{}", words(bytes)),
        Designator::Naa(bytes) => format!("naa:{}", hex(bytes)),
        Designator::Eui(bytes) => format!("eui:{}", hex(bytes)),
        Designator::TargetName(bytes) => format!("target:{}", words(bytes)),
        Designator::PortGroup(group) => format!("port-group:{group}"),
        Designator::RelativePort(port) => format!("port:{port}"),
        Designator::Other(..) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_target_prints_safely() {
        assert_eq!(words(b"  IET \x1b[2J\0\0"), "IET ?[2J");
        assert_eq!(kind(0x0c), "controller");
        assert_eq!(kind(0x1e), "type 0x1e");
    }

    #[test]
    fn designators_have_their_kind_before_them() {
        assert_eq!(designator(&Designator::Naa(vec![0x60, 1])).as_deref(), Some("naa:6001"));
        assert_eq!(designator(&Designator::Other([1, 2], vec![])), None);
    }
}
