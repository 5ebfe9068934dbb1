//! The words of the commands about images of virtual machines.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Make an image of a size; it takes space as it is written
    Create(CreateArgs),
    /// Make an image that shares everything with another one until either is written
    Clone(CloneArgs),
    /// Give an image another size
    Resize(ResizeArgs),
    /// List the images of a folder with their sizes
    Ls(PlaceArgs),
    /// Tell the size of an image and the space that it takes
    Info(PlaceArgs),
    /// Remove an image
    Rm(RemoveArgs),
    /// Copy a raw disk of this host into a new image; for other formats export it and use qemu-img
    Import(ImportArgs),
    /// Copy an image into a raw file of this host
    Export(OutArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// The new image: fs:[DEVICE-URI]/path
    #[arg(value_name = "URI")]
    pub(crate) uri: String,
    /// Its size, such as 20g
    pub(crate) size: String,
    /// Take all of its space at once
    #[arg(long)]
    pub(crate) preallocate: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CloneArgs {
    /// The image to share with: fs:[DEVICE-URI]/path
    #[arg(value_name = "URI")]
    pub(crate) uri: String,
    /// The path of the new image in the same volume
    #[arg(value_name = "PATH")]
    pub(crate) to: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ResizeArgs {
    /// The image: fs:[DEVICE-URI]/path
    #[arg(value_name = "URI")]
    pub(crate) uri: String,
    /// Its new size
    pub(crate) size: String,
    /// Cut off what is beyond the new size
    #[arg(long)]
    pub(crate) shrink: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PlaceArgs {
    /// The place: fs:[DEVICE-URI]/path
    #[arg(value_name = "URI")]
    pub(crate) uri: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RemoveArgs {
    /// The image: fs:[DEVICE-URI]/path
    #[arg(value_name = "URI", required = true)]
    pub(crate) uri: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// The disk, a file of this host
    pub(crate) file: PathBuf,
    /// The new image: fs:[DEVICE-URI]/path
    #[arg(value_name = "URI")]
    pub(crate) uri: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct OutArgs {
    /// The image: fs:[DEVICE-URI]/path
    #[arg(value_name = "URI")]
    pub(crate) uri: String,
    /// The file of this host to make
    pub(crate) file: PathBuf,
}
