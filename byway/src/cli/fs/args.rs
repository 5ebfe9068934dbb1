//! The words of the commands that make, check and show volumes.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum FsCommand {
    /// Tell what a volume is: its label, its size, what is free
    Info(VolumeArgs),
    /// Read or change the label of a volume that nobody uses
    Label(LabelArgs),
    /// Let a volume that nobody uses fill its device
    Grow(VolumeArgs),
    /// Damage a volume on purpose, for tests of byway fsck
    Wreck(WreckArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct MkfsArgs {
    /// The device: a file, block device or URI
    #[arg(value_name = "FILE|URI")]
    pub(crate) uri: String,
    /// The name of the volume
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) label: String,
    /// Bytes of an allocation group, a power of two from 8m to 16g
    #[arg(long, value_name = "SIZE")]
    pub(crate) group_size: Option<String>,
    /// Bytes of a journal, from 1m to 1g
    #[arg(long, value_name = "SIZE")]
    pub(crate) journal_size: Option<String>,
    /// Journals to make at once: as many hosts can use the volume before more are made
    #[arg(long, value_name = "NUMBER")]
    pub(crate) journals: Option<u16>,
    /// Destroy what the device carries
    #[arg(long)]
    pub(crate) force: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FsckArgs {
    /// The device: a file, block device or URI
    #[arg(value_name = "FILE|URI")]
    pub(crate) uri: String,
    /// Look and write nothing, which is what it does anyway
    #[arg(short = 'n', long, conflicts_with = "repair")]
    pub(crate) check: bool,
    /// Mend what is found
    #[arg(short = 'y', long)]
    pub(crate) repair: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DumpArgs {
    /// The device: a file, block device or URI
    #[arg(value_name = "FILE|URI")]
    pub(crate) uri: String,
    /// What to show: superblock, backup, slot, group, groupmap, inode, tree, leaf, journal or block
    #[arg(default_value = "superblock")]
    pub(crate) what: String,
    /// Which of them
    pub(crate) number: Option<u64>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct VolumeArgs {
    /// The device: a file, block device or URI
    #[arg(value_name = "FILE|URI")]
    pub(crate) uri: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct LabelArgs {
    /// The device: a file, block device or URI
    #[arg(value_name = "FILE|URI")]
    pub(crate) uri: String,
    /// The new label; the volume's is printed without it
    pub(crate) label: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct WreckArgs {
    /// The device: a file, block device or URI
    #[arg(value_name = "FILE|URI")]
    pub(crate) uri: Option<String>,
    /// The code of the finding that fsck shall make; all are listed without it
    pub(crate) code: Option<String>,
    /// Damage it without asking
    #[arg(long)]
    pub(crate) yes: bool,
}
