//! What programs do with directories of a mounted volume.

use super::*;
use crate::names::RenameMode;
use crate::xattr::SetMode;

#[test]
fn a_tree_is_built_changed_and_there_after_a_remount() {
    let (mut world, host, disk) = lab(11, quick());
    act(&mut world, host, |core| async move {
        let volume = mount(&core, &disk, alone()).await;
        let root = volume.open_root();
        root.mkdir(b"/vm", NEW).await.unwrap();
        root.mkdir(b"vm/images/", NEW).await.unwrap();
        let images = root.open(b"vm/images").await.unwrap();
        let made = images.create(b"disk", NEW, true).await.unwrap();
        assert_eq!(root.create(b"vm/images/disk", NEW, true).await, Err(FsError::Exists));
        root.symlink(b"latest", b"vm/images/disk", NEW).await.unwrap();
        assert_eq!(root.readlink(b"latest").await.unwrap(), b"vm/images/disk");
        assert_eq!(root.lookup(b"latest", true).await, Ok(made.at));
        root.link(b"vm/images/disk", b"second").await.unwrap();
        root.set_xattr(b"second", b"user.policy", b"read", SetMode::Create).await.unwrap();
        images.rename(b"disk", b"/vm/moved", RenameMode::NoReplace).await.unwrap();
        assert_eq!(root.attributes(b"vm/moved", false).await.unwrap().nlink, 2);
        assert_eq!(root.lookup(b"vm/..", true).await, Ok(volume.root()));
        assert_eq!(root.unlink(b"/").await, Err(FsError::Invalid("name")));
        drop((root, images));
        volume.unmount().await.unwrap();

        let volume = mount(&core, &disk, alone()).await;
        let root = volume.open_root();
        assert_eq!(root.lookup(b"vm/moved", true).await, Ok(made.at));
        assert_eq!(root.xattr(b"vm/moved", b"user.policy").await.unwrap().unwrap(), b"read");
        assert_eq!(root.lookup(b"latest", true).await, Err(FsError::NotFound));
        assert_eq!(root.rmdir(b"vm").await, Err(FsError::NotEmpty));
        root.rmdir(b"vm/images").await.unwrap();
        let mut names = root.names();
        let mut seen = BTreeSet::new();
        while let Some(listed) = names.next().await.unwrap() {
            seen.insert(listed.name.to_vec());
        }
        assert_eq!(seen, [&b"vm"[..], b"latest", b"second"].map(<[u8]>::to_vec).into());
    });
}

#[test]
fn a_removed_directory_stays_while_it_is_open_and_goes_when_it_is_closed() {
    let (mut world, host, disk) = lab(12, quick());
    act(&mut world, host, |core| async move {
        let volume = mount(&core, &disk, alone()).await;
        let root = volume.open_root();
        let before = volume.statfs().await.unwrap();
        root.mkdir(b"dir", NEW).await.unwrap();
        let dir = root.open(b"dir").await.unwrap();
        root.rmdir(b"dir").await.unwrap();
        assert_eq!(dir.create(b"file", NEW, true).await, Err(FsError::NotFound));
        assert_eq!(dir.attributes(b"", true).await.map(|seen| seen.nlink), Ok(0));
        assert_eq!(volume.statfs().await.unwrap().inodes, before.inodes + 1);
        drop(dir);
        while volume.statfs().await.unwrap() != before {
            byway_engine::core::yield_now().await;
        }
    });
}

#[test]
fn a_long_directory_streams() {
    const FILES: usize = 3_000;
    let (mut world, host, disk) = lab(13, quick());
    act(&mut world, host, |core| async move {
        let volume = mount(&core, &disk, alone()).await;
        let root = volume.open_root();
        for number in 0..FILES {
            root.create(format!("file-{number}").as_bytes(), NEW, true).await.unwrap();
        }
        let (mut names, mut cookie, mut count) = (root.names(), 0, 0);
        while let Some(listed) = names.next().await.unwrap() {
            assert!(listed.entry.cookie > cookie);
            (cookie, count) = (listed.entry.cookie, count + 1);
        }
        assert_eq!(count, FILES);
        assert_eq!(names.next().await, Ok(None), "the end stays the end");
    });
}
