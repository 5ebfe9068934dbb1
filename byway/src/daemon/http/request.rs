//! The head of a request, and how an answer begins. Pure.

/// The longest head of a request, in bytes.
pub const REQUEST_LEN_MAX: usize = 8 << 10;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The path, without a query.
    pub path: &'a str,
    /// Only the head of the answer is wanted.
    pub head_only: bool,
}

/// How a request ends (RFC 9110, section 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Here it is.
    Ok,
    /// No request.
    BadRequest,
    /// No such page.
    NotFound,
    /// Neither `GET` nor `HEAD`.
    MethodNotAllowed,
    /// A head longer than [`REQUEST_LEN_MAX`].
    TooLarge,
    /// Another version than HTTP/1.
    Version,
}

impl Status {
    fn line(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::BadRequest => "400 Bad Request",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed => "405 Method Not Allowed",
            Status::TooLarge => "431 Request Header Fields Too Large",
            Status::Version => "505 HTTP Version Not Supported",
        }
    }

    /// The head of an answer with a body of `len` bytes.
    #[must_use]
    pub fn head(self, content_type: &str, len: usize) -> String {
        let allow = if self == Status::MethodNotAllowed { "Allow: GET, HEAD\r\n" } else { "" };
        format!(
            "HTTP/1.1 {}\r\nContent-Type: {content_type}\r\nContent-Length: {len}\r\n{allow}\
             Connection: close\r\n\r\n",
            self.line()
        )
    }

    /// A body that says it in words.
    #[must_use]
    pub fn body(self) -> String {
        format!("{}\n", self.line())
    }
}

/// Reads the head of a request; `None` where its end is not there yet.
///
/// # Errors
/// The status to answer with.
pub fn parse(bytes: &[u8]) -> Result<Option<Request<'_>>, Status> {
    let head = &bytes[..bytes.len().min(REQUEST_LEN_MAX)];
    let Some(len) = end_of_head(head) else {
        let is_full = bytes.len() >= REQUEST_LEN_MAX;
        return if is_full { Err(Status::TooLarge) } else { Ok(None) };
    };
    let line = head[..len].split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| Status::BadRequest)?;
    let line = line.strip_suffix('\r').unwrap_or(line);
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Status::BadRequest);
    };
    if !version.starts_with("HTTP/1.") {
        let is_http = version.starts_with("HTTP/");
        return Err(if is_http { Status::Version } else { Status::BadRequest });
    }
    let head_only = match method {
        "GET" => false,
        "HEAD" => true,
        _ => return Err(Status::MethodNotAllowed),
    };
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let is_path = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
    if is_path { Ok(Some(Request { path, head_only })) } else { Err(Status::BadRequest) }
}

/// Where the empty line is that ends a head.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let crlf = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let lf = bytes.windows(2).position(|two| two == b"\n\n");
    crlf.into_iter().chain(lf).min()
}
