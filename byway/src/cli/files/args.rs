//! The words of the commands about files of a volume.

#[derive(Debug, clap::Args)]
pub(crate) struct CpArgs {
    /// What to copy: a path of this host or fs:[DEVICE-URI]/path
    pub(crate) from: String,
    /// Where to: a path of this host or fs:[DEVICE-URI]/path; a folder takes it in under its name
    pub(crate) to: String,
    /// Folders too, with all that is in them
    #[arg(short, long)]
    pub(crate) recursive: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct LsArgs {
    /// The folder or file: fs:[DEVICE-URI]/path
    #[arg(value_name = "URI")]
    pub(crate) uri: String,
    /// With modes, owners, sizes, and the space that is taken
    #[arg(short, long)]
    pub(crate) long: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CatArgs {
    /// The file: fs:[DEVICE-URI]/path
    #[arg(value_name = "URI")]
    pub(crate) uri: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RmArgs {
    /// What goes: fs:[DEVICE-URI]/path
    #[arg(value_name = "URI", required = true)]
    pub(crate) uri: Vec<String>,
    /// Folders too, with all that is in them
    #[arg(short, long)]
    pub(crate) recursive: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MkdirArgs {
    /// The new folder: fs:[DEVICE-URI]/path
    #[arg(value_name = "URI", required = true)]
    pub(crate) uri: Vec<String>,
}
