//! Lists of cores, as the kernel writes them: `0,2-3`.

use super::WordError;

/// The highest number of a core.
pub const CORE_MAX: usize = 1023;

/// The cores of a list, in the order given. A core may be named once.
pub fn cores(word: &str) -> Result<Vec<usize>, WordError> {
    let remedy = "write core numbers and ranges, such as 0,2-3";
    let error = |problem: String| WordError::new(format!("'{word}'"), problem, remedy);
    let mut list = Vec::new();
    for part in word.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |s: &str| s.parse::<usize>().ok().filter(|n| *n <= CORE_MAX);
        let ends = number(first).zip(number(last)).filter(|(first, last)| first <= last);
        let (first, last) = ends.ok_or_else(|| error(format!("'{part}' names no cores")))?;
        list.extend(first..=last);
    }
    let twice = list.iter().enumerate().find(|(i, core)| list[..*i].contains(core));
    match twice {
        Some((_, core)) => Err(error(format!("core {core} is named twice"))),
        None => Ok(list),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_numbers_mix() {
        assert_eq!(cores("0,2-3"), Ok(vec![0, 2, 3]));
        assert_eq!(cores("5"), Ok(vec![5]));
        assert_eq!(cores("3,1"), Ok(vec![3, 1]));
    }

    #[test]
    fn nonsense_is_named() {
        for word in ["", "a", "3-1", "1,,2", "0,0", "0-2,1", "5000", "1-", "-1"] {
            let message = cores(word).unwrap_err().to_string();
            assert!(message.contains(&format!("'{word}'")), "{message}");
        }
    }
}
