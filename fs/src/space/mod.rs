//! Allocation groups: bitmaps, hints, pending frees, refcounts, lazy initialisation.
