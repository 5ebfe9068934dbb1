//! One side of a negotiation.
//!
//! `identify` and `propose` write what this side says by itself, `handle` reads what the peer says and
//! writes the answers, `finish` gives the result. An incoming value is an answer where this side has
//! offered the key, otherwise an offer; no key comes twice (RFC 7143 section 6.2).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::declared::{Declared, session_type_name};
use super::key::obsolete_answer;
use super::rule::{Illegal, Rule};
use super::{
    DigestPolicy, Key, Limits, NegotiationError, Offer, Operational, Phase, Sender, SessionParams,
    SessionType, TaskReporting, is_security_key,
};
use crate::iscsi::text::{
    IRRELEVANT, IscsiName, NOT_UNDERSTOOD, Pair, REJECT, TextOut, is_refusal, items,
};

/// How many unknown keys of one text are answered.
pub(super) const UNKNOWN_KEYS_MAX: usize = 256;

/// What this side offered and did not get.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// The key.
    pub key: Key,
    /// What was wanted most.
    pub wanted: String,
    /// What the peer said; empty where it said nothing.
    pub got: String,
}

/// The negotiation of one login, from one side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Negotiation {
    role: Sender,
    operational: Operational,
    declared: Declared,
    is_identified: bool,
    is_proposed: bool,
    offered: BTreeSet<Key>,
    heard: BTreeSet<Key>,
    results: BTreeMap<Key, u32>,
    refused: Vec<Refusal>,
}

impl Negotiation {
    /// The initiator's side.
    #[must_use]
    pub fn initiator(offer: Offer) -> Negotiation {
        let declared = Declared {
            session_type: offer.session_type,
            initiator_name: Some(offer.initiator_name),
            initiator_alias: offer.initiator_alias,
            target_name: offer.target_name,
            ..Declared::default()
        };
        Negotiation::new(Sender::Initiator, offer.operational, declared)
    }

    /// The target's side.
    #[must_use]
    pub fn target(limits: Limits) -> Negotiation {
        let declared = Declared {
            target_alias: limits.target_alias,
            target_portal_group_tag: Some(limits.target_portal_group_tag),
            ..Declared::default()
        };
        Negotiation::new(Sender::Target, limits.operational, declared)
    }

    fn new(role: Sender, operational: Operational, declared: Declared) -> Negotiation {
        Negotiation {
            role,
            operational,
            declared,
            is_identified: false,
            is_proposed: false,
            offered: BTreeSet::new(),
            heard: BTreeSet::new(),
            results: BTreeMap::new(),
            refused: Vec::new(),
        }
    }

    /// Writes who this side is; belongs into its first PDU of the login, whatever the stage, on a
    /// target after the first request was handled. A second call writes nothing.
    pub fn identify(&mut self, out: &mut TextOut) {
        if core::mem::replace(&mut self.is_identified, true) {
            return;
        }
        let declared = self.declared.clone();
        let is_normal = declared.session_type == SessionType::Normal;
        if self.role == Sender::Initiator {
            let name = declared.initiator_name.map(|name| name.to_string());
            self.declare(Key::InitiatorName, name, out);
            self.declare(Key::InitiatorAlias, declared.initiator_alias, out);
            let session_type = session_type_name(declared.session_type).to_string();
            self.declare(Key::SessionType, Some(session_type), out);
            let name = declared.target_name.map(|name| name.to_string());
            self.declare(Key::TargetName, name, out);
        } else if is_normal {
            self.declare(Key::TargetAlias, declared.target_alias, out);
            let tag = declared.target_portal_group_tag.map(|tag| tag.to_string());
            self.declare(Key::TargetPortalGroupTag, tag, out);
        }
    }

    fn declare(&mut self, key: Key, value: Option<String>, out: &mut TextOut) {
        if let Some(value) = value {
            out.push(key.name(), &value);
            self.offered.insert(key);
        }
    }

    /// Writes what this side offers in the operational stage. An initiator offers everything; a
    /// target, once it has handled the initiator's offers, what it cannot leave at the default. A
    /// second call writes nothing.
    pub fn propose(&mut self, out: &mut TextOut) {
        if core::mem::replace(&mut self.is_proposed, true) {
            return;
        }
        let recv_len = self.operational.recv_len().to_string();
        self.declare(Key::MaxRecvDataSegmentLength, Some(recv_len), out);
        for key in Key::ALL {
            let Some((rule, default)) = key.rule() else { continue };
            let wish = self.operational.wish(key);
            let is_moot = self.heard.contains(&key)
                || self.is_irrelevant(key)
                || self.role == Sender::Target && rule.tolerates(wish, default);
            if !is_moot {
                self.declare(key, Some(rule.offer(wish).into_owned()), out);
            }
        }
    }

    fn is_irrelevant(&self, key: Key) -> bool {
        self.declared.session_type == SessionType::Discovery && key.is_irrelevant_in_discovery()
    }

    /// Reads keys of the peer and writes the answers they need. Keys of the security stage are
    /// passed over.
    ///
    /// # Errors
    /// Where the peer breaks the rules; the login fails then.
    pub fn handle(&mut self, pairs: &[Pair], out: &mut TextOut) -> Result<(), NegotiationError> {
        let is_type = |pair: &&Pair| pair.key == Key::SessionType.name();
        let mut unknown = 0;
        // What is irrelevant depends on the type, wherever it stands in the text.
        let ordered = pairs.iter().filter(is_type).chain(pairs.iter().filter(|p| !is_type(p)));
        for pair in ordered.filter(|pair| !is_security_key(&pair.key)) {
            match Key::from_name(&pair.key) {
                Some(key) => self.handle_key(key, &pair.value, out)?,
                None if is_refusal(&pair.value) => {}
                None if unknown == UNKNOWN_KEYS_MAX => return Err(NegotiationError::TooManyKeys),
                None => {
                    unknown += 1;
                    out.push(&pair.key, obsolete_answer(&pair.key).unwrap_or(NOT_UNDERSTOOD));
                }
            }
        }
        Ok(())
    }

    fn handle_key(
        &mut self,
        key: Key,
        value: &str,
        out: &mut TextOut,
    ) -> Result<(), NegotiationError> {
        if !key.is_allowed_in(Phase::Login) {
            return Err(NegotiationError::WrongPhase(key));
        }
        let is_offered = self.offered.contains(&key);
        if !self.heard.insert(key) {
            return Err(NegotiationError::Renegotiated(key));
        }
        let may_be_refused = key != Key::MaxRecvDataSegmentLength;
        if is_refusal(value) && is_offered && may_be_refused {
            self.note_refusal(key, value);
            return Ok(());
        }
        if key.sender() == self.role {
            return Err(NegotiationError::WrongSender(key));
        }
        let taken = match key.rule() {
            Some((rule, _)) if is_offered => self.take_answer(key, rule, value),
            Some((rule, _)) => self.take_offer(key, rule, value, out),
            None => self.declared.take(key, value).then_some(()).ok_or(Illegal),
        };
        taken.map_err(|Illegal| NegotiationError::IllegalValue { key, value: value.to_string() })
    }

    fn take_answer(&mut self, key: Key, rule: Rule, value: &str) -> Result<(), Illegal> {
        let wish = self.operational.wish(key);
        let result = rule.accept(wish, value)?;
        if result != wish.value() {
            self.note_refusal(key, value);
        }
        self.results.insert(key, result);
        Ok(())
    }

    fn take_offer(
        &mut self,
        key: Key,
        rule: Rule,
        value: &str,
        out: &mut TextOut,
    ) -> Result<(), Illegal> {
        if self.is_irrelevant(key) {
            out.push(key.name(), IRRELEVANT);
            return Ok(());
        }
        match rule.answer(self.operational.wish(key), value)? {
            Some(result) => {
                self.results.insert(key, result);
                out.push(key.name(), &rule.format(result));
            }
            None => out.push(key.name(), REJECT),
        }
        Ok(())
    }

    /// A digest that this side only allows was not wanted, so it cannot be refused.
    fn note_refusal(&mut self, key: Key, got: &str) {
        let wanted = match key.rule() {
            Some((rule, _)) => rule.offer(self.operational.wish(key)),
            None => "".into(),
        };
        if self.is_indifferent(key) {
            return;
        }
        let wanted = items(&wanted).next().unwrap_or_default().to_string();
        self.refused.push(Refusal { key, wanted, got: got.to_string() });
    }

    fn is_indifferent(&self, key: Key) -> bool {
        match key {
            Key::HeaderDigest => self.operational.header_digest == DigestPolicy::Allow,
            Key::DataDigest => self.operational.data_digest == DigestPolicy::Allow,
            _ => false,
        }
    }

    /// True where every offer of this side is answered, or needs no answer: the next stage may come.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.unanswered().next().is_none()
    }

    /// The offers that wait for an answer.
    pub fn unanswered(&self) -> impl Iterator<Item = Key> {
        self.offered.iter().copied().filter(|key| {
            let needs_answer =
                |(rule, _): (Rule, u32)| !rule.is_settled_by(self.operational.wish(*key).value());
            !self.heard.contains(key) && key.rule().is_some_and(needs_answer)
        })
    }

    /// What this side offered and did not get, for people to see.
    #[must_use]
    pub fn refused(&self) -> &[Refusal] {
        &self.refused
    }

    /// Normal or discovery, as far as it is known.
    #[must_use]
    pub fn session_type(&self) -> SessionType {
        self.declared.session_type
    }

    /// Who logs in, once it has said so.
    #[must_use]
    pub fn initiator_name(&self) -> Option<&IscsiName> {
        self.declared.initiator_name.as_ref()
    }

    /// Where it logs in, once it has said so.
    #[must_use]
    pub fn target_name(&self) -> Option<&IscsiName> {
        self.declared.target_name.as_ref()
    }

    /// Where a redirect leads, as `host:port` or `host:port,tag`.
    #[must_use]
    pub fn target_address(&self) -> Option<&str> {
        self.declared.target_address.as_deref()
    }

    /// The portal group that was reached.
    #[must_use]
    pub fn target_portal_group_tag(&self) -> Option<u16> {
        self.declared.target_portal_group_tag
    }

    /// Ends the negotiation: an offer without an answer has the default and counts as refused.
    ///
    /// # Errors
    /// A name is missing, or a digest that this side requires was refused.
    pub fn finish(&mut self) -> Result<SessionParams, NegotiationError> {
        let unanswered: Vec<Key> = self.unanswered().collect();
        for key in unanswered {
            self.heard.insert(key);
            self.note_refusal(key, "");
        }
        let declared = &self.declared;
        if declared.initiator_name.is_none() {
            return Err(NegotiationError::Missing(Key::InitiatorName));
        }
        if declared.session_type == SessionType::Normal && declared.target_name.is_none() {
            return Err(NegotiationError::Missing(Key::TargetName));
        }
        for key in [Key::HeaderDigest, Key::DataDigest] {
            let (rule, _) = key.rule().expect("digests are negotiated");
            if !rule.tolerates(self.operational.wish(key), self.result(key)) {
                return Err(NegotiationError::Required(key));
            }
        }
        Ok(self.params())
    }

    /// The outcome for a negotiated key; where an answer was optional and did not come, the offer.
    fn result(&self, key: Key) -> u32 {
        let (rule, default) = key.rule().expect("only negotiated keys have a result");
        let wish = self.operational.wish(key).value();
        let is_implied =
            self.offered.contains(&key) && !self.heard.contains(&key) && rule.is_settled_by(wish);
        let unsaid = if is_implied { wish } else { default };
        self.results.get(&key).copied().unwrap_or(unsaid)
    }

    fn params(&self) -> SessionParams {
        let declared = self.declared.clone();
        let short = |key| self.result(key) as u16;
        let is = |key| self.result(key) == 1;
        let defaults = SessionParams::default();
        let max_burst_len = self.result(Key::MaxBurstLength);
        let own_len = match self.offered.contains(&Key::MaxRecvDataSegmentLength) {
            true => self.operational.recv_len(),
            false => defaults.max_recv_data_segment_len,
        };
        SessionParams {
            session_type: declared.session_type,
            initiator_name: declared.initiator_name,
            initiator_alias: declared.initiator_alias,
            target_name: declared.target_name,
            target_alias: declared.target_alias,
            target_portal_group_tag: declared.target_portal_group_tag,
            header_digest: is(Key::HeaderDigest),
            data_digest: is(Key::DataDigest),
            max_connections: short(Key::MaxConnections),
            initial_r2t: is(Key::InitialR2t),
            immediate_data: is(Key::ImmediateData),
            max_recv_data_segment_len: own_len,
            max_send_data_segment_len: declared
                .peer_recv_len
                .unwrap_or(defaults.max_send_data_segment_len),
            max_burst_len,
            first_burst_len: self.result(Key::FirstBurstLength).min(max_burst_len),
            max_outstanding_r2t: short(Key::MaxOutstandingR2t),
            default_time2wait: short(Key::DefaultTime2Wait),
            default_time2retain: short(Key::DefaultTime2Retain),
            data_pdu_in_order: is(Key::DataPduInOrder),
            data_sequence_in_order: is(Key::DataSequenceInOrder),
            error_recovery_level: self.result(Key::ErrorRecoveryLevel) as u8,
            task_reporting: TaskReporting::from_value(self.result(Key::TaskReporting)),
            protocol_level: self.result(Key::ProtocolLevel) as u8,
        }
    }
}
