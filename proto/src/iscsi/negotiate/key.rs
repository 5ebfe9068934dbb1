//! The keys of RFC 7143 section 13 and RFC 7144: names, who sends them, when.

use super::rule::Rule;
use crate::iscsi::text::REJECT;

/// A key that this module negotiates or declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// 13.1: HeaderDigest.
    HeaderDigest,
    /// 13.1: DataDigest.
    DataDigest,
    /// 13.2: MaxConnections.
    MaxConnections,
    /// 13.3: SendTargets.
    SendTargets,
    /// 13.4: TargetName.
    TargetName,
    /// 13.5: InitiatorName.
    InitiatorName,
    /// 13.6: TargetAlias.
    TargetAlias,
    /// 13.7: InitiatorAlias.
    InitiatorAlias,
    /// 13.8: TargetAddress.
    TargetAddress,
    /// 13.9: TargetPortalGroupTag.
    TargetPortalGroupTag,
    /// 13.10: InitialR2T.
    InitialR2t,
    /// 13.11: ImmediateData.
    ImmediateData,
    /// 13.12: MaxRecvDataSegmentLength.
    MaxRecvDataSegmentLength,
    /// 13.13: MaxBurstLength.
    MaxBurstLength,
    /// 13.14: FirstBurstLength.
    FirstBurstLength,
    /// 13.15: DefaultTime2Wait.
    DefaultTime2Wait,
    /// 13.16: DefaultTime2Retain.
    DefaultTime2Retain,
    /// 13.17: MaxOutstandingR2T.
    MaxOutstandingR2t,
    /// 13.18: DataPDUInOrder.
    DataPduInOrder,
    /// 13.19: DataSequenceInOrder.
    DataSequenceInOrder,
    /// 13.20: ErrorRecoveryLevel.
    ErrorRecoveryLevel,
    /// 13.21: SessionType.
    SessionType,
    /// 13.23: TaskReporting.
    TaskReporting,
    /// 13.24 and RFC 7144: iSCSIProtocolLevel.
    ProtocolLevel,
}

/// Who may send a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sender {
    /// The initiator alone.
    Initiator,
    /// The target alone.
    Target,
    /// Both.
    Both,
}

/// Where a key may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// In the login, any stage.
    Login,
    /// In Text Requests and Responses.
    FullFeature,
}

/// Largest segment or burst that a key can carry, in bytes.
const LENGTH_MAX: u32 = 0x00ff_ffff;
/// Smallest segment or burst, in bytes.
const LENGTH_MIN: u32 = 512;

impl Key {
    /// Every key, in the order of section 13; offers go out in this order.
    pub const ALL: [Key; 24] = [
        Key::HeaderDigest,
        Key::DataDigest,
        Key::MaxConnections,
        Key::SendTargets,
        Key::TargetName,
        Key::InitiatorName,
        Key::TargetAlias,
        Key::InitiatorAlias,
        Key::TargetAddress,
        Key::TargetPortalGroupTag,
        Key::InitialR2t,
        Key::ImmediateData,
        Key::MaxRecvDataSegmentLength,
        Key::MaxBurstLength,
        Key::FirstBurstLength,
        Key::DefaultTime2Wait,
        Key::DefaultTime2Retain,
        Key::MaxOutstandingR2t,
        Key::DataPduInOrder,
        Key::DataSequenceInOrder,
        Key::ErrorRecoveryLevel,
        Key::SessionType,
        Key::TaskReporting,
        Key::ProtocolLevel,
    ];

    /// The key on the wire; case matters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Key::HeaderDigest => "HeaderDigest",
            Key::DataDigest => "DataDigest",
            Key::MaxConnections => "MaxConnections",
            Key::SendTargets => "SendTargets",
            Key::TargetName => "TargetName",
            Key::InitiatorName => "InitiatorName",
            Key::TargetAlias => "TargetAlias",
            Key::InitiatorAlias => "InitiatorAlias",
            Key::TargetAddress => "TargetAddress",
            Key::TargetPortalGroupTag => "TargetPortalGroupTag",
            Key::InitialR2t => "InitialR2T",
            Key::ImmediateData => "ImmediateData",
            Key::MaxRecvDataSegmentLength => "MaxRecvDataSegmentLength",
            Key::MaxBurstLength => "MaxBurstLength",
            Key::FirstBurstLength => "FirstBurstLength",
            Key::DefaultTime2Wait => "DefaultTime2Wait",
            Key::DefaultTime2Retain => "DefaultTime2Retain",
            Key::MaxOutstandingR2t => "MaxOutstandingR2T",
            Key::DataPduInOrder => "DataPDUInOrder",
            Key::DataSequenceInOrder => "DataSequenceInOrder",
            Key::ErrorRecoveryLevel => "ErrorRecoveryLevel",
            Key::SessionType => "SessionType",
            Key::TaskReporting => "TaskReporting",
            Key::ProtocolLevel => "iSCSIProtocolLevel",
        }
    }

    /// The key of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Key> {
        Key::ALL.into_iter().find(|key| key.name() == name)
    }

    /// Who may send it.
    #[must_use]
    pub fn sender(self) -> Sender {
        match self {
            Key::SendTargets
            | Key::TargetName
            | Key::InitiatorName
            | Key::InitiatorAlias
            | Key::SessionType => Sender::Initiator,
            Key::TargetAlias | Key::TargetAddress | Key::TargetPortalGroupTag => Sender::Target,
            _ => Sender::Both,
        }
    }

    /// Whether it may be used there.
    #[must_use]
    pub fn is_allowed_in(self, phase: Phase) -> bool {
        match phase {
            Phase::Login => self != Key::SendTargets,
            Phase::FullFeature => matches!(
                self,
                Key::SendTargets
                    | Key::TargetName
                    | Key::TargetAlias
                    | Key::InitiatorAlias
                    | Key::TargetAddress
                    | Key::MaxRecvDataSegmentLength
            ),
        }
    }

    /// True for the keys that a discovery session answers with `Irrelevant`.
    #[must_use]
    pub fn is_irrelevant_in_discovery(self) -> bool {
        matches!(
            self,
            Key::MaxConnections
                | Key::InitialR2t
                | Key::ImmediateData
                | Key::MaxBurstLength
                | Key::FirstBurstLength
                | Key::MaxOutstandingR2t
                | Key::DataPduInOrder
                | Key::DataSequenceInOrder
                | Key::TaskReporting
                | Key::ProtocolLevel
        )
    }

    /// How two wishes become one value, and the value without any; nothing for declared keys.
    pub(super) fn rule(self) -> Option<(Rule, u32)> {
        let min = |low, high| Rule::Min { low, high };
        Some(match self {
            Key::HeaderDigest | Key::DataDigest => (Rule::Digest, 0),
            Key::MaxConnections => (min(1, 65535), 1),
            Key::InitialR2t => (Rule::Or, 1),
            Key::ImmediateData => (Rule::And, 1),
            Key::MaxBurstLength => (min(LENGTH_MIN, LENGTH_MAX), 262_144),
            Key::FirstBurstLength => (min(LENGTH_MIN, LENGTH_MAX), 65536),
            Key::DefaultTime2Wait => (Rule::Max { low: 0, high: 3600 }, 2),
            Key::DefaultTime2Retain => (min(0, 3600), 20),
            Key::MaxOutstandingR2t => (min(1, 65535), 1),
            Key::DataPduInOrder | Key::DataSequenceInOrder => (Rule::Or, 1),
            Key::ErrorRecoveryLevel => (min(0, 2), 0),
            Key::TaskReporting => (Rule::Reporting, 0),
            Key::ProtocolLevel => (min(0, 31), 1),
            _ => return None,
        })
    }
}

/// Legal values of MaxRecvDataSegmentLength, in bytes.
pub(super) const RECV_LENGTHS: core::ops::RangeInclusive<u32> = LENGTH_MIN..=LENGTH_MAX;

/// True for the keys of the security stage (RFC 7143 section 12), which are not negotiated here.
#[must_use]
pub fn is_security_key(name: &str) -> bool {
    name == "AuthMethod" || ["CHAP_", "KRB_", "SRP_", "SPKM_"].iter().any(|p| name.starts_with(p))
}

/// The answer to a key of RFC 3720 that RFC 7143 section 13.25 took back: no markers.
pub(super) fn obsolete_answer(name: &str) -> Option<&'static str> {
    match name {
        "IFMarker" | "OFMarker" => Some("No"),
        "IFMarkInt" | "OFMarkInt" => Some(REJECT),
        _ => None,
    }
}
