//! What a target did not agree to, what that costs, and the command that raises it there. Pure.
//!
//! Commands are those of tgt's `tgtadm`, of LIO's `targetcli` and of SPDK's `rpc.py`; they hold for
//! logins after them.

use byway_proto::iscsi::negotiate::SessionParams;
use serde::Serialize;

/// One key that was not agreed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Refused {
    /// Its name (RFC 7143 section 13).
    pub(super) key: &'static str,
    /// What was agreed.
    pub(super) value: String,
    /// What would be better.
    pub(super) wanted: String,
    /// What the difference costs.
    pub(super) cost: &'static str,
    /// How to raise it on tgt.
    pub(super) tgt: String,
    /// How to raise it on LIO.
    pub(super) lio: String,
    /// How to raise it on SPDK, where it has an option for that.
    pub(super) spdk: Option<String>,
}

/// Bytes from which on more brings little.
const SEGMENT_WANTED: u32 = 256 << 10;
const FIRST_BURST_WANTED: u32 = 256 << 10;
const BURST_WANTED: u32 = 1 << 20;
const R2TS_WANTED: u16 = 16;

/// Everything that was not agreed to. `digests` are those that were asked for, of header and data.
pub(super) fn refused(params: &SessionParams, digests: (bool, bool)) -> Vec<Refused> {
    let mut list = Vec::new();
    let mut note = |is_refused: bool, key, value: String, wanted: String, cost| {
        if is_refused {
            list.push(entry(params, key, value, wanted, cost));
        }
    };
    let (yes, no) = (|| "Yes".to_owned(), || "No".to_owned());
    let cost = "a write beyond its immediate data takes another round trip";
    note(params.initial_r2t, "InitialR2T", yes(), no(), cost);
    let cost = "every write takes another round trip";
    note(!params.immediate_data, "ImmediateData", no(), yes(), cost);
    let send = params.max_send_data_segment_len;
    let cost = "long writes are cut into many PDUs, and little data is immediate";
    let (key, wanted) = ("MaxRecvDataSegmentLength", SEGMENT_WANTED.to_string());
    note(send < SEGMENT_WANTED, key, send.to_string(), wanted, cost);
    let first = params.first_burst_len;
    let cost = "longer writes take another round trip";
    let (key, wanted) = ("FirstBurstLength", FIRST_BURST_WANTED.to_string());
    note(first < FIRST_BURST_WANTED, key, first.to_string(), wanted, cost);
    let burst = params.max_burst_len;
    let cost = "long transfers are cut into many bursts";
    let (key, wanted) = ("MaxBurstLength", BURST_WANTED.to_string());
    note(burst < BURST_WANTED, key, burst.to_string(), wanted, cost);
    let r2ts = params.max_outstanding_r2t;
    let cost = "the bursts of a long write wait for one another";
    let (key, wanted) = ("MaxOutstandingR2T", R2TS_WANTED.to_string());
    note(r2ts < R2TS_WANTED, key, r2ts.to_string(), wanted, cost);
    let none = || "None".to_owned();
    let both = || "CRC32C,None".to_owned();
    let cost = "damage on the way is not found";
    let (header, data) = digests;
    note(header && !params.header_digest, "HeaderDigest", none(), both(), cost);
    note(data && !params.data_digest, "DataDigest", none(), both(), cost);
    list
}

fn entry(
    params: &SessionParams,
    key: &'static str,
    value: String,
    wanted: String,
    cost: &'static str,
) -> Refused {
    let target = params.target_name.as_ref().map_or("TARGET", |name| name.as_str());
    let group = params.target_portal_group_tag.unwrap_or(1);
    let tgt = "tgtadm --lld iscsi --op update --mode target --tid TID";
    Refused {
        tgt: format!("{tgt} --name {key} --value {wanted}"),
        lio: format!("targetcli /iscsi/{target}/tpg{group} set parameter {key}={wanted}"),
        spdk: match key {
            "ImmediateData" => Some("rpc.py iscsi_set_options --immediate-data".into()),
            "FirstBurstLength" => {
                Some(format!("rpc.py iscsi_set_options --first-burst-length {wanted}"))
            }
            _ => None,
        },
        key,
        value,
        wanted,
        cost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_a_target_are_named_with_their_remedies() {
        let list = refused(&SessionParams::default(), (false, false));
        let keys: Vec<_> = list.iter().map(|refused| refused.key).collect();
        let expected = [
            "InitialR2T",
            "MaxRecvDataSegmentLength",
            "FirstBurstLength",
            "MaxBurstLength",
            "MaxOutstandingR2T",
        ];
        assert_eq!(keys, expected);
        assert!(list[0].tgt.ends_with("--tid TID --name InitialR2T --value No"));
        assert!(list[1].lio.ends_with("/tpg1 set parameter MaxRecvDataSegmentLength=262144"));
        assert_eq!(list[0].spdk, None);
        let spdk = "rpc.py iscsi_set_options --first-burst-length 262144";
        assert_eq!(list[2].spdk.as_deref(), Some(spdk));
    }

    #[test]
    fn a_generous_target_refuses_nothing_but_digests_that_were_asked_for() {
        let params = SessionParams {
            initial_r2t: false,
            max_send_data_segment_len: 1 << 20,
            first_burst_len: 1 << 20,
            max_burst_len: 1 << 24,
            max_outstanding_r2t: 16,
            ..SessionParams::default()
        };
        assert_eq!(refused(&params, (false, false)), []);
        let digests = refused(&params, (true, true));
        let digests: Vec<_> = digests.iter().map(|refused| refused.key).collect();
        assert_eq!(digests, ["HeaderDigest", "DataDigest"]);
    }
}
