//! Stories of files on a volume whose metadata is in memory.

mod lab;
mod stories;
