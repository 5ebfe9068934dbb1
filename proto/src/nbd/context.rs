//! Metadata contexts: how they are asked for and told (NBD, 'Metadata querying').
//!
//! One context is known here, `base:allocation`: which extents are allocated, and which read as zeroes.
//! A listing also serves to tell who a client is ([`ClientId`]).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::error::WireError;
use super::limits::QUERIES_MAX;
use super::text::{Fields, push_counted, text_len};

/// The context of the document's own namespace.
pub const BASE_ALLOCATION: &str = "base:allocation";
/// Asks for all contexts of the document's own namespace.
pub const BASE_WILDCARD: &str = "base:";

/// What a listing names where the server has let nothing of an earlier connection of the client go
/// on: an experimental namespace (NBD, 'Metadata namespaces').
pub const CLIENT: &str = "x-byway:client";

/// The name by which a client asks a server to end its earlier connections before it goes on.
///
/// It is random and kept for as long as the client replaces lost connections by new ones. A server
/// that knows the query ends all earlier connections that gave the same name, and answers with
/// [`CLIENT`] when nothing that they asked for can be executed any more. Others list nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u128);

impl ClientId {
    /// The query for it.
    #[must_use]
    pub fn query(self) -> String {
        format!("{CLIENT}={:032x}", self.0)
    }

    /// The client that a query names.
    #[must_use]
    pub fn of_query(query: &str) -> Option<ClientId> {
        let digits = query.strip_prefix(CLIENT)?.strip_prefix('=')?;
        let is_hex = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u128::from_str_radix(digits, 16).ok()?;
        is_hex.then_some(ClientId(number))
    }
}

/// The data of `LIST_META_CONTEXT` and `SET_META_CONTEXT`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContextQuery<'a> {
    /// The export.
    pub export: &'a str,
    /// Contexts, or namespaces. In a listing, an empty list asks for all there are.
    pub queries: Vec<&'a str>,
}

impl<'a> ContextQuery<'a> {
    /// Appends the data.
    pub fn push(&self, out: &mut Vec<u8>) {
        push_counted(out, self.export);
        let count = u32::try_from(self.queries.len()).expect("there are few queries");
        out.extend(count.to_be_bytes());
        self.queries.iter().for_each(|query| push_counted(out, query));
    }

    /// Reads the data.
    ///
    /// # Errors
    /// Lengths that do not fit together, text that is none, more queries than [`QUERIES_MAX`].
    pub fn decode(data: &'a [u8]) -> Result<ContextQuery<'a>, WireError> {
        let mut fields = Fields::new(data);
        let export = fields.counted_text()?;
        let count = fields.u32()?;
        if count > QUERIES_MAX {
            return Err(WireError::TooMany { count });
        }
        let queries = (0..count).map(|_| fields.counted_text()).collect::<Result<_, _>>()?;
        fields.end()?;
        Ok(ContextQuery { export, queries })
    }
}

/// The data of a reply that names a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContextReply<'a> {
    /// The number by which replies to `BLOCK_STATUS` name it; 0 in a listing.
    pub id: u32,
    /// Its name.
    pub name: &'a str,
}

impl<'a> ContextReply<'a> {
    /// Length on the wire, in bytes.
    #[must_use]
    pub fn wire_len(&self) -> u32 {
        4 + text_len(self.name)
    }

    /// Appends the data.
    pub fn push(&self, out: &mut Vec<u8>) {
        out.extend(self.id.to_be_bytes());
        out.extend(self.name.as_bytes());
    }

    /// Reads the data.
    ///
    /// # Errors
    /// Too short, or a name that is no text.
    pub fn decode(data: &'a [u8]) -> Result<ContextReply<'a>, WireError> {
        let mut fields = Fields::new(data);
        let id = fields.u32()?;
        Ok(ContextReply { id, name: fields.last_text()? })
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn more_queries_than_there_are_bytes_is_an_error() {
        let mut wire = vec![0, 0, 0, 0, 0, 0, 0, 2];
        push_counted(&mut wire, BASE_ALLOCATION);
        assert_eq!(ContextQuery::decode(&wire), Err(WireError::Short));
        wire[4] = 1;
        assert!(matches!(ContextQuery::decode(&wire), Err(WireError::TooMany { .. })));
        wire[4..8].copy_from_slice(&[0, 0, 0, 0]);
        assert_eq!(ContextQuery::decode(&wire), Err(WireError::Trailing { len: 19 }));
    }

    proptest! {
        #[test]
        fn queries_survive_the_wire(
            export in "[^\0]{0,20}", queries in prop::collection::vec("[^\0]{0,20}", 0..5), id: u32,
        ) {
            let queries = queries.iter().map(String::as_str).collect();
            let query = ContextQuery { export: &export, queries };
            let mut wire = Vec::new();
            query.push(&mut wire);
            prop_assert_eq!(ContextQuery::decode(&wire), Ok(query));
            let reply = ContextReply { id, name: &export };
            let mut wire = Vec::new();
            reply.push(&mut wire);
            prop_assert_eq!(wire.len(), usize::try_from(reply.wire_len()).unwrap());
            prop_assert_eq!(ContextReply::decode(&wire), Ok(reply));
        }
    }

    #[test]
    fn a_client_names_itself_in_a_query() {
        let id = ClientId(0x1234 << 100);
        assert_eq!(ClientId::of_query(&id.query()), Some(id));
        for other in ["x-byway:client", "x-byway:client=12", "base:allocation", "", &"f".repeat(47)]
        {
            assert_eq!(ClientId::of_query(other), None, "{other}");
        }
        assert_eq!(ClientId::of_query(&id.query().replace("=0", "=+")), None);
    }
}
