//! Stories of files on a volume whose metadata is in memory.

mod caching;
mod lab;
mod stories;
