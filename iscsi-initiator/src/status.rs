//! What a device tells of its paths.

use byway_proto::iscsi::negotiate::SessionParams;

/// Where a path stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PathState {
    /// Connecting, logging in, asking.
    #[default]
    Opening,
    /// Requests go this way.
    Up,
    /// There, and not to be used now (ALUA standby or unavailable).
    Standby,
    /// Lost; another attempt follows.
    Down,
}

/// One path of one core.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathStatus {
    /// Which core's, in the order in which they opened the device.
    pub channel: u32,
    /// The portal.
    pub portal: String,
    /// Where it stands.
    pub state: PathState,
    /// Logins so far.
    pub logins: u64,
    /// Why the last session or attempt ended.
    pub trouble: Option<String>,
    /// What was agreed.
    pub params: Option<SessionParams>,
    /// What the target did not agree to, and what that costs.
    pub refused: Vec<String>,
}

/// What agreements cost, for people.
pub(crate) fn remarks(params: &SessionParams) -> Vec<String> {
    let mut remarks = Vec::new();
    if params.initial_r2t {
        remarks.push("InitialR2T=Yes: long writes take another round trip".into());
    }
    if !params.immediate_data {
        remarks.push("ImmediateData=No: every write takes another round trip".into());
    }
    let send = params.max_send_data_segment_len;
    if send < 64 << 10 {
        remarks.push(format!("MaxRecvDataSegmentLength={send}: long writes are cut into many"));
    }
    if params.first_burst_len < 64 << 10 {
        let first = params.first_burst_len;
        remarks.push(format!("FirstBurstLength={first}: longer writes take another round trip"));
    }
    remarks
}
