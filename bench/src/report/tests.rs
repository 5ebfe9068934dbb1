//! Reports of small results.
