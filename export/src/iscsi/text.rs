//! Text requests in full-feature phase: which targets there are (RFC 7143 section 13.3).

use byway_proto::iscsi::login::Directory;
use byway_proto::iscsi::negotiate::SessionParams;

/// The answer to a whole text request.
pub(crate) fn answer(text: &[u8], params: &SessionParams, directory: &Directory) -> Vec<u8> {
    byway_proto::iscsi::login::discovery::answer_text(text, params, directory)
}
