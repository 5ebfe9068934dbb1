//! The journal as a pure machine: ring positions, commits, the tail, and what a replay applies.
