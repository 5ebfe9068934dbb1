//! The three levels of the library.
