//! One targeted corruption for each finding of fsck: for tests.
