//! The log: what happens is told on the error output, as text or as a JSON object for each event.

use std::io;

use tracing_subscriber::EnvFilter;

use super::failure::Failure;

/// What is told where nobody says anything.
const DEFAULT: &str = "warn";

/// Starts it with as much as `filter`, or else `RUST_LOG`, asks for.
pub(crate) fn start(filter: Option<&str>, format: Option<&str>) -> Result<(), Failure> {
    let given = filter.map(str::to_owned).or_else(|| std::env::var("RUST_LOG").ok());
    let word = given.unwrap_or_else(|| DEFAULT.into());
    let filter = EnvFilter::try_new(&word).map_err(|error| {
        Failure::usage(format!("--log '{word}': {error}; write a level, such as info or debug"))
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        Some("json") => log.json().init(),
        _ => log.init(),
    }
    Ok(())
}
