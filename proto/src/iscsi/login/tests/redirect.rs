//! A target that is elsewhere.

use super::super::initiator::{self, LoginState, Proof};
use super::super::target::TargetLoginState;
use super::super::*;
use super::lab::*;
use crate::iscsi::pdu::LoginStatus;

fn moved(is_permanent: bool, to: &str) -> Directory {
    let mut directory = directory(terms());
    let to = TargetAddress::parse(to).unwrap();
    let entry = directory.targets.get_mut(&name(DISK)).unwrap();
    entry.presence = Presence::Moved { is_permanent, to };
    directory
}

#[test]
fn rfc_point_12_redirects_temporary_and_permanent_are_told_apart() {
    for (is_permanent, status) in
        [(false, LoginStatus::MovedTemporarily), (true, LoginStatus::MovedPermanently)]
    {
        let mut i = initiator::Login::new(config(Proof::None)).unwrap();
        let mut t = target();
        run(&mut i, &mut t, &moved(is_permanent, "[fe80::7]:860")).unwrap();
        let to = TargetAddress::parse("[fe80::7]:860").unwrap();
        assert_eq!(i.state(), LoginState::Redirected(&Redirect { is_permanent, to }));
        assert_eq!(t.state(), TargetLoginState::Closing(status));
        assert_eq!(i.poll_transmit(), None);
    }
}

#[test]
fn rfc_point_12_the_portal_group_is_compared() {
    let mut directory = directory(Authentication::None);
    directory.portal_group = 4;
    let mut i = initiator::Login::new(config(Proof::None)).unwrap();
    let wrong = LoginError::WrongPortalGroup { expected: PORTAL_GROUP, told: 4 };
    assert_eq!(run(&mut i, &mut target(), &directory), Err(End::Initiator(wrong)));
}
