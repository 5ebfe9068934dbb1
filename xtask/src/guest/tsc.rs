//! The rate of the host's time-stamp counter, which an emulated processor shows to its guest.
//!
//! A guest that measures it against emulated timers on a busy host is wrong by a factor of two or
//! three, and so are its clocks; it is told the rate on its command line.

use crate::exec;

/// Kilohertz, from the kernel's own measurement where it is told, else from the processor's rate,
/// which is the same on virtual machines.
pub(super) fn khz() -> Option<u64> {
    let direct = std::fs::read_to_string("/sys/devices/system/cpu/cpu0/tsc_freq_khz").ok();
    let direct = direct.and_then(|text| text.trim().parse().ok());
    let log = || {
        let mut dmesg = exec::program("dmesg");
        let output = dmesg.stderr(std::process::Stdio::null()).output().ok()?;
        from_log(&String::from_utf8_lossy(&output.stdout))
    };
    let rate = || from_cpuinfo(&std::fs::read_to_string("/proc/cpuinfo").ok()?);
    direct.or_else(log).or_else(rate)
}

/// `tsc: Refined TSC clocksource calibration: 2596.138 MHz`, or the first detection.
fn from_log(text: &str) -> Option<u64> {
    let number = |line: &str| line.split_whitespace().rev().nth(1).and_then(kilo);
    let refined = text.lines().rev().find(|line| line.contains("Refined TSC clocksource"));
    let detected = || {
        let line = text.lines().rev().find(|line| line.contains("tsc: Detected "))?;
        line.split("Detected ").nth(1)?.split(' ').next().and_then(kilo)
    };
    refined.and_then(number).or_else(detected)
}

fn from_cpuinfo(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with("cpu MHz"))?;
    line.split(':').nth(1).and_then(|word| kilo(word.trim()))
}

fn kilo(mhz: &str) -> Option<u64> {
    mhz.parse::<f64>().ok().map(|mhz| (mhz * 1000.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read_from_the_log_or_from_the_processor() {
        let log = "[0.1] tsc: Detected 2596.138 MHz processor\n";
        assert_eq!(from_log(log), Some(2_596_138));
        let refined = "[1.2] tsc: Refined TSC clocksource calibration: 2596.100 MHz\n";
        assert_eq!(from_log(&format!("{log}{refined}")), Some(2_596_100));
        assert_eq!(from_cpuinfo("model\t: 1\ncpu MHz\t\t: 2000.5\n"), Some(2_000_500));
        assert_eq!(from_log("nothing"), None);
    }
}
