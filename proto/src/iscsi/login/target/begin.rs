//! The first keys: who is there, what it wants, and whether it may (RFC 7143 sections 6.3 and 13).

use alloc::string::{String, ToString};

use super::{Applicant, Login, State};
use crate::iscsi::login::{Authentication, Directory, LoginError, Presence, TargetEntry, keys};
use crate::iscsi::negotiate::{Limits, Negotiation};
use crate::iscsi::pdu::{LoginStatus, Stage};
use crate::iscsi::text::{IscsiName, Pair, TextOut};

fn refused<T>(status: LoginStatus) -> Result<T, LoginError> {
    Err(LoginError::Refused(status))
}

impl Login {
    pub(super) fn begin(
        &mut self,
        pairs: &[Pair],
        directory: &Directory,
    ) -> Result<(), LoginError> {
        let applicant = self.introduced(pairs, directory)?;
        let (terms, alias) = match &applicant.target_name {
            None => (directory.discovery.terms(&applicant.initiator_name), None),
            Some(name) => {
                let entry = directory.targets.get(name);
                let entry = entry.ok_or(LoginError::Refused(LoginStatus::NotFound))?;
                if self.is_elsewhere(entry)? {
                    return Ok(());
                }
                (entry.access.terms(&applicant.initiator_name), sendable_alias(entry))
            }
        };
        let terms = terms.ok_or(LoginError::Refused(LoginStatus::AuthorizationFailure))?;
        self.applicant = Some(applicant);
        let mut negotiation = Negotiation::target(Limits {
            target_alias: alias,
            target_portal_group_tag: directory.portal_group,
            operational: self.config.operational,
        });
        let mut text = TextOut::new();
        negotiation.handle(pairs, &mut text)?;
        negotiation.identify(&mut text);
        self.negotiation = Some(negotiation);
        self.begin_stage(pairs, text, terms)
    }

    fn begin_stage(
        &mut self,
        pairs: &[Pair],
        text: TextOut,
        terms: &Authentication,
    ) -> Result<(), LoginError> {
        match (self.stage, terms) {
            (Stage::Security, terms) => self.method(pairs, text, terms),
            (_, Authentication::None) => {
                self.state = State::Operational;
                self.operational(text)
            }
            (_, Authentication::Chap(_)) => refused(LoginStatus::AuthenticationFailure),
        }
    }

    fn introduced(&self, pairs: &[Pair], directory: &Directory) -> Result<Applicant, LoginError> {
        let first = self.first.as_ref().expect("a response answers a request");
        let initiator_name = name(pairs, "InitiatorName")?;
        let target_name = match keys::get(pairs, "SessionType").unwrap_or("Normal") {
            "Normal" => Some(name(pairs, "TargetName")?),
            "Discovery" => None,
            _ => return refused(LoginStatus::SessionTypeNotSupported),
        };
        Ok(Applicant {
            initiator_name,
            initiator_alias: keys::get(pairs, "InitiatorAlias").map(String::from),
            target_name,
            portal_group: directory.portal_group,
            isid: first.isid,
            tsih: first.tsih,
            cid: first.cid,
        })
    }

    /// True where the initiator was sent elsewhere.
    fn is_elsewhere(&mut self, entry: &TargetEntry) -> Result<bool, LoginError> {
        match &entry.presence {
            Presence::Here => Ok(false),
            Presence::Removed => refused(LoginStatus::TargetRemoved),
            Presence::Unavailable => refused(LoginStatus::ServiceUnavailable),
            Presence::Moved { is_permanent, to } => {
                let mut text = TextOut::new();
                text.push("TargetAddress", &to.to_string());
                let status = match is_permanent {
                    true => LoginStatus::MovedPermanently,
                    false => LoginStatus::MovedTemporarily,
                };
                self.close(status, text);
                Ok(true)
            }
        }
    }
}

fn name(pairs: &[Pair], key: &'static str) -> Result<IscsiName, LoginError> {
    let text = keys::get(pairs, key).ok_or(LoginError::Missing { key })?;
    IscsiName::new(text).map_err(|_| LoginError::BadValue { key })
}

/// An alias is for people: one that does not fit is left out.
fn sendable_alias(entry: &TargetEntry) -> Option<String> {
    entry.alias.clone().filter(|alias| keys::is_sendable(alias))
}
