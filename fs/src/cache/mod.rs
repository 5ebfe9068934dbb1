//! A core's cache of file data, and read-ahead.
