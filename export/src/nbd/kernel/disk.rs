//! A device as `/sys/block/nbdN` shows it: its size, its backend, the limits of its queue.

use std::fs;
use std::io;
use std::path::PathBuf;

/// The longest request that a queue is told to make, in KiB. The driver's own 128 cost more round
/// trips than they save; more than this makes a request wait behind long ones.
const REQUEST_KIB: u32 = 1024;
const SECTOR: u64 = 512;

/// N of `/dev/nbdN` or `nbdN`.
pub fn device_index(word: &str) -> Option<u32> {
    let digits = word.strip_prefix("/dev/").unwrap_or(word).strip_prefix("nbd")?;
    let is_canonical = digits == "0" || !digits.starts_with('0');
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_canonical && is_number { digits.parse().ok() } else { None }
}

/// What the kernel shows of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// N of `/dev/nbdN`.
    pub index: u32,
}

impl Disk {
    /// Its device file.
    pub fn device(&self) -> String {
        format!("/dev/nbd{}", self.index)
    }

    /// Its size in bytes, in whole sectors; nothing where there is no such device.
    pub fn size(&self) -> Option<u64> {
        Some(self.read("size")?.parse::<u64>().ok()?.saturating_mul(SECTOR))
    }

    /// Whether writes are refused.
    pub fn is_read_only(&self) -> bool {
        self.read("ro").is_some_and(|word| word == "1")
    }

    /// The name of what is behind it; nothing where it was connected without one.
    pub fn backend(&self) -> Option<String> {
        self.read("backend").filter(|name| !name.is_empty())
    }

    /// The longest request that the queue makes, in KiB.
    pub fn request_kib(&self) -> Option<u32> {
        self.read("queue/max_sectors_kb")?.parse().ok()
    }

    /// Whether no request is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.read("inflight").is_some_and(|line| line.split_whitespace().all(|word| word == "0"))
    }

    /// What uses it: where it is mounted, or what lies on it; nothing where it is free.
    pub fn user(&self) -> Option<String> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let swaps = fs::read_to_string("/proc/swaps").unwrap_or_default();
        let numbers = self.numbers();
        let mount = mounts.lines().find_map(|line| mount_point(line, &numbers));
        let holder = || entries(self.path("holders")).into_iter().next();
        let swap = || swaps.lines().any(|line| self.is_own(line)).then(|| "swap".to_owned());
        mount.or_else(holder).or_else(swap)
    }

    /// Lets the queue make longer requests, as far as the kernel and the server take them.
    pub(super) fn raise_request_len(&self, server_max: u32) -> io::Result<()> {
        let kernel_max = self.read("queue/max_hw_sectors_kb").and_then(|word| word.parse().ok());
        let kib = REQUEST_KIB.min(server_max / 1024).min(kernel_max.unwrap_or(REQUEST_KIB));
        if self.request_kib().is_some_and(|there| there >= kib) {
            return Ok(());
        }
        fs::write(self.path("queue/max_sectors_kb"), kib.to_string())
    }

    /// Major and minor of the device and its partitions.
    fn numbers(&self) -> Vec<String> {
        let own = self.read("dev");
        let parts = entries(self.path(""));
        let parts = parts.iter().filter(|name| name.starts_with("nbd"));
        own.into_iter().chain(parts.filter_map(|part| self.read(&format!("{part}/dev")))).collect()
    }

    /// True for a line of `/proc/swaps` about the device or one of its partitions.
    fn is_own(&self, line: &str) -> bool {
        let rest =
            line.split_whitespace().next().and_then(|word| word.strip_prefix(&self.device()));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('p'))
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/sys/block/nbd{}", self.index)).join(name)
    }

    fn read(&self, name: &str) -> Option<String> {
        Some(fs::read_to_string(self.path(name)).ok()?.trim().to_owned())
    }
}

fn entries(folder: PathBuf) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Where a device with one of those numbers is mounted, by a line of `mountinfo`:
/// `36 35 43:0 / /mnt rw,… - ext4 …`.
fn mount_point(line: &str, numbers: &[String]) -> Option<String> {
    let mut words = line.split(' ').skip(2);
    let number = words.next()?;
    let is_own = numbers.iter().any(|own| own == number);
    words.nth(1).filter(|_| is_own).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_named_by_its_file_or_its_name() {
        for (word, index) in [("/dev/nbd0", 0), ("nbd15", 15), ("/dev/nbd4294967295", u32::MAX)] {
            assert_eq!(device_index(word), Some(index));
        }
        for word in ["", "nbd", "/dev/nbd0p1", "/dev/nbd00", "nbd-1", "/dev/sda", "nbd4294967296"] {
            assert_eq!(device_index(word), None, "{word}");
        }
    }

    #[test]
    fn a_mount_is_found_by_the_numbers_of_its_device() {
        let line = "36 35 43:0 / /mnt/disk rw,noatime master:1 - ext4 /dev/nbd0 rw";
        let numbers = |word: &str| vec![word.to_owned()];
        assert_eq!(mount_point(line, &numbers("43:0")), Some("/mnt/disk".into()));
        assert_eq!(mount_point(line, &numbers("43:1")), None);
        assert_eq!(mount_point("", &numbers("43:0")), None);
    }

    #[test]
    fn swap_on_a_partition_counts() {
        let disk = Disk { index: 1 };
        assert!(disk.is_own("/dev/nbd1 partition 1 0 -2") && disk.is_own("/dev/nbd1p2 file 1 0"));
        assert!(!disk.is_own("/dev/nbd10 partition 1 0 -2") && !disk.is_own("Filename Type"));
    }

    #[test]
    fn a_device_that_is_not_there_shows_nothing() {
        let disk = Disk { index: u32::MAX };
        assert_eq!((disk.size(), disk.backend(), disk.user()), (None, None, None));
        assert!(!disk.is_read_only());
    }
}
