//! Stories of the right to write: two servers of one file, as in a live migration.

use std::cell::Cell;

use byway_engine::block::file::{FileDevice, FileOptions};
use byway_engine::exec::Class;

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

#[test]
fn a_second_writer_is_refused_while_the_first_goes_on() {
    let path = image("second");
    let (here, there) = (export(&path, SECOND), export(&path, SECOND / 2));
    story(ServerConfig { exports: vec![here], ..config() }, |core, to, first| async move {
        let other = ServerConfig { exports: vec![there], ..config() };
        let other = Server::start(&core, other).unwrap();
        let mut guest = connect(&core, &to, "a").await;
        let mut second = connect(&core, &other.addresses()[0], "a").await;
        guest.write(0, &pattern(4096, 1)).await.unwrap();
        let is_over = Rc::new(Cell::new(false));
        // Between a flush and the next write, nothing is in flight and everything is durable.
        let goes_on = {
            let (core, is_over) = (Rc::clone(&core), Rc::clone(&is_over));
            async move {
                let mut written = 0;
                while !is_over.get() {
                    guest.write(0, &pattern(4096, 2)).await.unwrap();
                    guest.call(Command::Flush, CommandFlags::NONE, (0, 0), &[]).await.unwrap();
                    written += 1;
                    core.sleep(SECOND / 50).await;
                }
                written
            }
        };
        let guest = core.spawn(Class::Foreground, "guest", goes_on);
        let (errno, text) = second.write(0, &pattern(4096, 3)).await.unwrap_err();
        assert_eq!(errno, NbdErrno::Eperm);
        let holder = format!("process {} has the right to write", std::process::id());
        assert!(text.contains(&holder), "{text}");
        assert!(first.stats().exports[0].has_right);
        assert!(second.read(0, 4096).await.unwrap() == pattern(4096, 2));
        is_over.set(true);
        assert!(guest.await.unwrap() > 2);
        // The first has stopped: its right moves.
        second.write(0, &pattern(4096, 4)).await.unwrap();
        assert!(!first.stats().exports[0].has_right);
        other.stop().await;
    });
    remove(&path);
}
