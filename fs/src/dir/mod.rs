//! Directories: inline, leaves, their index, cookies.
