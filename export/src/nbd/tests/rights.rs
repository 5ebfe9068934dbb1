//! Stories of the right to write: two servers of one file, as in a live migration.

use byway_engine::block::file::{FileDevice, FileOptions};

use super::*;

fn image(name: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("byway-nbd-{}-{name}", std::process::id()));
    std::fs::write(&path, vec![0; 1 << 20]).unwrap();
    path
}

fn export(path: &std::path::Path, wait_ns: u64) -> ExportConfig {
    let device = FileDevice::open(path, FileOptions { direct: false, ..<_>::default() }).unwrap();
    let mut export = ExportConfig::new("a", Arc::new(device));
    export.right = Rc::new(FileRight::new(path).unwrap().with_wait(wait_ns));
    export
}

fn remove(path: &std::path::Path) {
    std::fs::remove_file(path).unwrap();
    std::fs::remove_file(format!("{}.byway-want", path.display())).unwrap();
}

#[test]
fn the_right_goes_to_who_writes_and_what_was_written_is_there() {
    let path = image("migration");
    let (here, there) = (export(&path, 10 * SECOND), export(&path, 10 * SECOND));
    story(ServerConfig { exports: vec![here], ..config() }, |core, to, source| async move {
        let target = ServerConfig { exports: vec![there], ..config() };
        let target = Server::start(&core, target).unwrap();
        let mut old = connect(&core, &to, "a").await;
        let mut new = connect(&core, &target.addresses()[0], "a").await;
        old.write(0, &pattern(4096, 1)).await.unwrap();
        assert!(source.stats().exports[0].has_right && !target.stats().exports[0].has_right);
        assert!(new.read(0, 4096).await.unwrap() == pattern(4096, 1), "reading needs no right");
        new.write(4096, &pattern(4096, 2)).await.unwrap();
        assert!(!source.stats().exports[0].has_right && target.stats().exports[0].has_right);
        assert!(old.read(4096, 4096).await.unwrap() == pattern(4096, 2));
        target.stop().await;
        old.write(0, &pattern(4096, 3)).await.unwrap();
    });
    remove(&path);
}

#[test]
fn who_does_not_get_the_right_is_told_who_has_it() {
    let path = image("refused");
    let holder = Rc::new(FileRight::new(&path).unwrap());
    let served = export(&path, SECOND / 50);
    story(ServerConfig { exports: vec![served], ..config() }, |core, to, _| async move {
        let held: Rc<dyn WriteRight> = holder;
        Rc::clone(&held).acquire(Rc::clone(&core)).await.unwrap();
        let mut client = connect(&core, &to, "a").await;
        let (errno, text) = client.write(0, &pattern(4096, 1)).await.unwrap_err();
        assert_eq!(errno, NbdErrno::Eperm);
        assert!(text.contains("has the right to write"), "{text}");
        held.release();
        client.write(0, &pattern(4096, 1)).await.unwrap();
    });
    remove(&path);
}
