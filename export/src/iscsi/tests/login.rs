//! Who gets in, on which terms, and what discovery tells.

use std::collections::BTreeMap;

use byway_proto::iscsi::chap::{Algorithm, Challenge, Credentials, Peer, Secret};
use byway_proto::iscsi::login::initiator::Proof;
use byway_proto::iscsi::login::{
    Access, Authentication, ChapTerms, LoginError, Presence, TargetAddress,
};
use byway_proto::iscsi::negotiate::{DigestPolicy, Operational};
use byway_proto::iscsi::pdu::LoginStatus;
use byway_proto::iscsi::text::IscsiName;

use super::*;

fn operational() -> Vec<Operational> {
    let usual = Operational::default();
    let (require, never) = (DigestPolicy::Require, DigestPolicy::Never);
    vec![
        usual,
        Operational { header_digest: require, data_digest: require, ..usual },
        Operational { header_digest: require, data_digest: never, ..usual },
        Operational { header_digest: never, data_digest: require, ..usual },
        Operational { initial_r2t: true, ..usual },
        Operational { immediate_data: false, ..usual },
        Operational { initial_r2t: true, immediate_data: false, max_burst_len: 8192, ..usual },
        Operational {
            max_recv_data_segment_len: 1000,
            max_burst_len: 5000,
            first_burst_len: 777,
            max_outstanding_r2t: 1,
            data_digest: require,
            ..usual
        },
    ]
}

#[test]
fn data_come_back_whatever_was_negotiated() {
    for operational in operational() {
        story(config(), move |core, to| async move {
            let who = Who { operational, ..Who::named(ONE) };
            let mut client = connect(&core, &to, &who).await;
            for (lba, blocks) in [(0, 1), (7, 8), (100, 64), (1000, 700)] {
                let data = pattern(blocks * 512, blocks as u8);
                assert_eq!(client.write(lba, data.clone()).await.status.to_byte(), 0);
                assert!(client.read(lba, blocks as u32).await == data, "{operational:?} {blocks}");
            }
            let asks = operational.initial_r2t || operational.first_burst_len < 4096;
            assert_eq!(client.r2ts > 0, asks, "{operational:?}");
        });
    }
}

#[test]
fn discovery_tells_the_target_and_its_portal() {
    story(config(), |core, to| async move {
        let who = Who { is_discovery: true, ..Who::named(ONE) };
        let mut client = connect(&core, &to, &who).await;
        let pdu = client.text(b"SendTargets=All\0").await;
        let text = String::from_utf8(pdu.data).unwrap();
        assert_eq!(text, format!("TargetName={TARGET}\0TargetAddress={to},1\0"));
    });
}

#[test]
fn only_listed_initiators_get_in_and_see_the_target() {
    let mut config = config();
    let name = IscsiName::new(ONE).unwrap();
    config.access = Access::Listed(BTreeMap::from([(name, Authentication::None)]));
    story(config, |core, to| async move {
        let refused = log_in(&core, &to, &Who::named(TWO)).await.err();
        let status = LoginStatus::AuthorizationFailure;
        assert_eq!(refused, Some(LoginError::Refused(status)));
        connect(&core, &to, &Who::named(ONE)).await;
        let who = Who { is_discovery: true, ..Who::named(TWO) };
        let pdu = connect(&core, &to, &who).await.text(b"SendTargets=All\0").await;
        assert!(pdu.data.is_empty());
    });
}

fn credentials(name: &str, secret: &[u8]) -> Credentials {
    Credentials { name: name.into(), secret: Secret::new(secret).unwrap() }
}

fn peer(name: &str, secret: &[u8]) -> Peer {
    Peer { name: Some(name.into()), secret: Secret::new(secret).unwrap() }
}

#[test]
fn chap_proves_both_sides_and_keeps_out_who_does_not_know_the_secret() {
    let (theirs, ours, wrong) = (b"initiator secret", b"the target secret", b"a wrong secret!!");
    let mut config = config();
    config.access = Access::Anyone(Authentication::Chap(ChapTerms {
        peer: peer("alice", theirs),
        own: Some(credentials("bob", ours)),
        algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
    }));
    story(config, move |core, to| async move {
        for (algorithm, secret, is_right) in [
            (Algorithm::Md5, theirs, true),
            (Algorithm::Sha256, theirs, true),
            (Algorithm::Sha256, wrong, false),
        ] {
            let challenge = Challenge { id: 9, random: [7; 32] };
            let proof = Proof::Chap {
                own: credentials("alice", secret),
                peer: Some((peer("bob", ours), challenge)),
                algorithms: vec![algorithm],
            };
            let result = log_in(&core, &to, &Who { proof, ..Who::named(ONE) }).await;
            assert_eq!(result.is_ok(), is_right);
        }
        assert!(log_in(&core, &to, &Who::named(ONE)).await.is_err(), "no proof at all");
    });
}

#[test]
fn a_target_that_moved_sends_its_initiators_there() {
    reactor(64).run(|core| async move {
        let target = Target::start(&core, config()).unwrap();
        let to = target.addresses()[0].clone();
        let there = TargetAddress::parse("10.0.0.1:3260").unwrap();
        target.set_presence(&Presence::Moved { is_permanent: false, to: there });
        let refused = log_in(&core, &to, &Who::named(ONE)).await.err();
        assert_eq!(refused, Some(LoginError::Refused(LoginStatus::MovedTemporarily)));
        target.stop().await;
    });
}
