//! Dinodes: their fields, their making and ending, orphans, inline data.
