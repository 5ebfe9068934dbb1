//! Words and tables that several commands print.

use byway::{IscsiUri, Uri};
use serde::Serialize;

use super::failure::Failure;
use super::output;

/// Rows under a line of headings, each column as wide as it must be, the last as wide as it is.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let head = headings.iter().map(|word| (*word).to_owned()).collect();
    let all: Vec<&Vec<String>> = std::iter::once(&head).chain(rows).collect();
    let width = |column: usize| {
        let cells = all.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..headings.len()).map(width).collect();
    let line = |row: &&Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    all.iter().map(line).collect()
}

/// A size in the largest unit of 1024 that keeps it at ten or above, such as 64.0 MiB.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = bytes as f64;
    let mut unit = "B";
    for larger in UNITS {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, larger);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// JSON for programs, on the standard output.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value);
    let json = json.map_err(|error| Failure::failed(format!("result: {error}; report this")))?;
    output::print(&(json + "\n"))
}

/// The URI of a device; a word without a scheme is the path of a file.
pub(crate) fn device_uri(word: &str) -> Result<Uri, Failure> {
    let is_uri = word.split_once(':').is_some_and(|(scheme, _)| !scheme.contains('/'));
    let word = if is_uri { word.to_owned() } else { format!("file:{word}") };
    Ok(word.parse()?)
}

/// The word that JSON has for a value; empty where it has none.
pub(crate) fn word_of(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The URI of a LUN.
pub(crate) fn iscsi_uri(text: &str) -> Result<IscsiUri, Failure> {
    match text.parse::<Uri>()? {
        Uri::Iscsi(uri) => Ok(*uri),
        _ => {
            let remedy = "write iscsi://HOST:PORT/TARGET/LUN";
            Err(Failure::usage(format!("'{text}': not the URI of an iSCSI LUN; {remedy}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [vec!["0".into(), "64.0 MiB".into()], vec!["100".into(), "-".into()]];
        assert_eq!(table(&["LUN", "size"], &rows), "LUN  size\n0    64.0 MiB\n100  -\n");
    }

    #[test]
    fn sizes_have_units_of_1024() {
        assert_eq!(size(512), "512 B");
        assert_eq!(size(64 << 20), "64.0 MiB");
        assert_eq!(size(3 << 39), "1.5 TiB");
    }
}
