//! Doors for the fuzzer.

use crate::uri::Uri;

/// URIs: what is shown reads back as the same.
pub fn uri(data: &[u8]) {
    let Ok(word) = std::str::from_utf8(data) else { return };
    if let Ok(uri) = word.parse::<Uri>() {
        assert_eq!(uri.to_string().parse::<Uri>().as_ref(), Ok(&uri));
    }
}
