//! The shell around the machines: mounting, running operations, commits, heartbeat, withdrawal.
