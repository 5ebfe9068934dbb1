//! Both machines against each other, and each against a peer that errs.

mod hostile;
pub(super) mod lab;
mod pair;
mod peers;
mod redirect;
mod table;
mod wrong_initiator;
mod wrong_target;
