//! Sizes in bytes: `512`, `4k`, `1.5m`, `1GiB`, `1GB`.

use super::{WordError, scaled, split_unit};

const REMEDY: &str =
    "write a number with k, m, g or t behind it (powers of 1024), such as 4k or 1g";

/// Bytes of a size word. `k`, `kib` are 1024; `kb` is 1000 and so on. Letter case does not matter.
pub fn size(word: &str) -> Result<u64, WordError> {
    let error = |problem: &str| WordError::new(format!("'{word}'"), problem, REMEDY);
    let (number, unit) = split_unit(word);
    let factor = unit_factor(&unit.to_ascii_lowercase()).ok_or_else(|| error("not a size"))?;
    scaled(number, factor).ok_or_else(|| error("not a size"))
}

fn unit_factor(unit: &str) -> Option<u64> {
    let (power, base): (u32, u64) = match unit {
        "" | "b" => (0, 1024),
        "k" | "kib" => (1, 1024),
        "m" | "mib" => (2, 1024),
        "g" | "gib" => (3, 1024),
        "t" | "tib" => (4, 1024),
        "kb" => (1, 1000),
        "mb" => (2, 1000),
        "gb" => (3, 1000),
        "tb" => (4, 1000),
        _ => return None,
    };
    Some(base.pow(power))
}

/// The shortest word that means exactly `bytes`.
pub fn show_size(bytes: u64) -> String {
    let units = [(40, "t"), (30, "g"), (20, "m"), (10, "k")];
    let exact = |shift: u32| bytes != 0 && bytes.trailing_zeros() >= shift;
    match units.into_iter().find(|(shift, _)| exact(*shift)) {
        Some((shift, unit)) => format!("{}{unit}", bytes >> shift),
        None => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_powers_of_1024_unless_they_say_b() {
        for (word, bytes) in [
            ("512", 512),
            ("4k", 4096),
            ("4K", 4096),
            ("4KiB", 4096),
            ("4kB", 4000),
            ("1m", 1 << 20),
            ("1.5g", 3 << 29),
            ("2TiB", 2 << 40),
            ("1GB", 1_000_000_000),
        ] {
            assert_eq!(size(word), Ok(bytes), "{word}");
        }
    }

    #[test]
    fn nonsense_is_named_with_its_remedy() {
        for word in ["", "k", "4q", "-4k", "4 k", "4kk", "99999999t"] {
            let message = size(word).unwrap_err().to_string();
            assert!(message.contains(&format!("'{word}'")), "{message}");
            assert!(message.contains("such as 4k"), "{message}");
        }
    }

    #[test]
    fn sizes_are_shown_short() {
        assert_eq!(show_size(4096), "4k");
        assert_eq!(show_size(1 << 30), "1g");
        assert_eq!(show_size(4097), "4097");
        assert_eq!(show_size(0), "0");
    }
}
