//! One B+tree of 24-byte records: extents, directory indexes, refcounts, pending frees, orphans, attributes.
