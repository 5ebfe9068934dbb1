//! Doors for the fuzzer.

use crate::daemon::config::Config;
use crate::daemon::http;
use crate::uri::Uri;

/// URIs: what is shown reads back as the same.
pub fn uri(data: &[u8]) {
    let Ok(word) = std::str::from_utf8(data) else { return };
    if let Ok(uri) = word.parse::<Uri>() {
        assert_eq!(uri.to_string().parse::<Uri>().as_ref(), Ok(&uri));
    }
}

/// Configurations: what is wrong is on a line that is there.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Err(findings) = Config::parse(text) else { return };
    assert!(!findings.is_empty(), "a configuration is refused for a reason");
    let lines = text.split('\n').count();
    assert!(findings.iter().all(|finding| (1..=lines).contains(&finding.line)));
    assert!(findings.iter().all(|finding| finding.to_string().lines().count() == 1));
}

/// Requests of HTTP: what is understood is a path.
pub fn http_request(data: &[u8]) {
    match http::parse(data) {
        Ok(Some(request)) => assert!(request.path.starts_with('/')),
        Ok(None) => assert!(data.len() < http::REQUEST_LEN_MAX),
        Err(status) => assert!(!status.head("text/plain", 0).is_empty()),
    }
}
