//! A copy of the metadata of a volume, for reports of bugs.
