//! Any structure of a volume, for people and programs.
