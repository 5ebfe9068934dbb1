//! The loop against the server that does no work.

use super::*;

fn null_server(name: &str, spin: bool) -> PathBuf {
    let name = format!("byway-null-{name}-{}", std::process::id());
    let socket = std::env::temp_dir().join(name);
    let server = NullServer { socket: socket.clone(), size: 64 << 20, spin, cpu: None };
    std::thread::spawn(move || serve(&server));
    while UnixStream::connect(&socket).is_err() {
        std::thread::yield_now();
    }
    socket
}

#[test]
fn the_loop_gets_an_answer_for_each_request() {
    for spin in [false, true] {
        let socket = null_server(&format!("spin-{spin}"), spin);
        for (write, qd, bs) in
            [(false, 32, 4096), (false, 1, 4096), (true, 32, 4096), (true, 4, 1 << 20)]
        {
            let figures = run_nbd(&Nbd {
                socket: socket.clone(),
                export: String::new(),
                write,
                spin,
                qd,
                bs,
                runtime: Duration::from_millis(50),
                cpu: None,
                batch: 4,
            })
            .unwrap();
            assert!(figures.iops > 0.0 && figures.syscalls_per_io > 0.0, "{figures:?}");
        }
        std::fs::remove_file(socket).unwrap();
    }
}

#[test]
fn flushes_are_timed_while_another_connection_writes() {
    let socket = null_server("flush", false);
    let figures = run_flushes(&Nbd {
        socket: socket.clone(),
        export: String::new(),
        write: true,
        spin: false,
        qd: 8,
        bs: 4096,
        runtime: Duration::from_millis(50),
        cpu: None,
        batch: 1,
    })
    .unwrap();
    assert!(figures.p50_ns > 0 && figures.p99_ns >= figures.p50_ns, "{figures:?}");
    std::fs::remove_file(socket).unwrap();
}

#[test]
fn what_cannot_be_measured_is_an_error() {
    let socket = null_server("errors", false);
    let nbd = Nbd {
        socket: socket.clone(),
        export: String::new(),
        write: false,
        spin: false,
        qd: 1,
        bs: 128 << 20,
        runtime: Duration::ZERO,
        cpu: None,
        batch: 1,
    };
    assert!(run_nbd(&nbd).is_err(), "a request longer than the export");
    std::fs::remove_file(&socket).unwrap();
    assert!(run_nbd(&Nbd { bs: 4096, ..nbd }).is_err(), "nobody listens");
}
