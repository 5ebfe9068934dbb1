//! What listeners do: many connections, dropped listeners, files of Unix sockets, handed-in ones.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::pin::pin;

use super::*;

/// Connections of the crowd; this many at a time, for the sake of the limit of open files.
const CROWD: usize = 1000;
const AT_ONCE: usize = 100;

#[test]
fn a_crowd_is_accepted() {
    everywhere(|core, address| async move {
        let listener = listen(&core, &address);
        let to = listener.local_address().clone();
        let greeter = core.clone();
        let greeting = core.spawn(Class::Foreground, "greet", async move {
            for n in 0..CROWD as u32 {
                let (stream, peer) = listener.accept().await.unwrap();
                assert_eq!(peer, stream.peer_address().as_tcp());
                send_bytes(&greeter, &stream, &n.to_le_bytes()).await;
            }
        });
        let mut seen = vec![false; CROWD];
        for _ in 0..CROWD / AT_ONCE {
            let mut streams = Vec::new();
            for _ in 0..AT_ONCE {
                streams.push(Stream::connect(&core, &to).await.unwrap());
            }
            for stream in &streams {
                let got = receive_bytes(&core, stream, 4).await;
                let number = u32::from_le_bytes(got.try_into().unwrap()) as usize;
                assert!(!std::mem::replace(&mut seen[number], true), "{number} came twice");
            }
        }
        greeting.await.unwrap();
        assert!(seen.iter().all(|&seen| seen));
    });
}

#[test]
fn connections_that_nobody_accepts_are_closed_with_the_listener() {
    everywhere(|core, address| async move {
        let listener = listen(&core, &address);
        let to = listener.local_address().clone();
        {
            // The request waits in the kernel, and accepts what comes.
            let mut accepting = pin!(listener.accept());
            start(accepting.as_mut()).await;
        }
        let mut streams = Vec::new();
        for _ in 0..3 {
            streams.push(Stream::connect(&core, &to).await.unwrap());
        }
        Bell::new(&core).await.turn(&core).await;
        drop(listener);
        for stream in streams {
            match stream.receive(payload(&core, &[1])).await.0 {
                Ok(bytes) => assert_eq!(bytes, 0),
                Err(error) => assert_eq!(error.kind, NetErrorKind::Reset, "{error}"),
            }
        }
    });
}

#[test]
fn a_dropped_accept_loses_no_connection() {
    everywhere(|core, address| async move {
        let listener = listen(&core, &address);
        let to = listener.local_address().clone();
        {
            let mut accepting = pin!(listener.accept());
            start(accepting.as_mut()).await;
        }
        let near = Stream::connect(&core, &to).await.unwrap();
        Bell::new(&core).await.turn(&core).await;
        let (far, _) = listener.accept().await.unwrap();
        send_bytes(&core, &near, b"hello").await;
        assert_eq!(receive_bytes(&core, &far, 5).await, b"hello");
    });
}

#[test]
fn one_task_accepts_at_a_time() {
    once(|core| async move {
        let listener = listen(&core, &loopback());
        let mut first = pin!(listener.accept());
        start(first.as_mut()).await;
        let Err(second) = listener.accept().await else {
            panic!("nobody connected");
        };
        assert!(second.to_string().contains("another task accepts"), "{second}");
    });
}

#[test]
fn a_port_in_use_is_named() {
    once(|core| async move {
        let first = listen(&core, &loopback());
        let Err(error) = Listener::bind(&core, first.local_address(), ListenOptions::default())
        else {
            panic!("the port is taken");
        };
        assert_eq!(error.kind, NetErrorKind::InUse);
        assert!(error.to_string().starts_with(&first.local_address().to_string()), "{error}");
    });
}

#[test]
fn cores_share_a_port() {
    once(|core| async move {
        let options = ListenOptions { reuse_port: true, ..ListenOptions::default() };
        let first = Listener::bind(&core, &loopback(), options).unwrap();
        assert!(Listener::bind(&core, first.local_address(), options).is_ok());
    });
}

#[test]
fn the_file_of_a_unix_socket_comes_and_goes_with_its_listener() {
    let dir = Dir::new();
    let address = dir.address("socket");
    let Address::Unix(path) = address.clone() else { unreachable!() };
    once(|core| async move {
        // A stale file: its listener is gone without having removed it.
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let listener = listen(&core, &address);
        let Err(error) = Listener::bind(&core, &address, ListenOptions::default()) else {
            panic!("somebody listens there");
        };
        assert_eq!(error.kind, NetErrorKind::InUse);
        assert!(error.to_string().contains("another process listens there"), "{error}");
        drop(listener);
        assert!(!path.exists());
    });
}

#[test]
fn files_of_others_are_left_alone() {
    let dir = Dir::new();
    let address = dir.address("socket");
    let Address::Unix(path) = address.clone() else { unreachable!() };
    once(|core| async move {
        fs::write(&path, "precious").unwrap();
        let Err(error) = Listener::bind(&core, &address, ListenOptions::default()) else {
            panic!("a file is there");
        };
        assert!(error.to_string().contains("not a socket"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"precious");

        fs::remove_file(&path).unwrap();
        let listener = listen(&core, &address);
        fs::remove_file(&path).unwrap();
        let successor = UnixListener::bind(&path).unwrap();
        drop(listener);
        assert!(path.exists(), "the file is the successor's");
        drop(successor);
    });
}

#[test]
fn a_path_without_its_directory_is_named() {
    let dir = Dir::new();
    let address = Address::Unix(dir.0.join("missing/socket"));
    once(|core| async move {
        let Err(error) = Listener::bind(&core, &address, ListenOptions::default()) else {
            panic!("there is no directory");
        };
        assert!(error.to_string().contains("missing/socket: listen: No such file"), "{error}");
    });
}

#[test]
fn a_socket_that_was_handed_in_is_served() {
    once(|core| async move {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let listener = Listener::from_fd(&core, OwnedFd::from(socket)).unwrap();
        let to = listener.local_address().clone();
        let far = core.spawn(Class::Foreground, "accept", async move { listener.accept().await });
        let near = Stream::connect(&core, &to).await.unwrap();
        let far = far.await.unwrap().unwrap().0;
        send_bytes(&core, &far, b"handed in").await;
        assert_eq!(receive_bytes(&core, &near, 9).await, b"handed in");
    });
}

#[test]
fn a_descriptor_that_does_not_listen_is_refused() {
    once(|core| async move {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let Err(error) = Listener::from_fd(&core, OwnedFd::from(socket)) else {
            panic!("it is no listener");
        };
        assert_eq!(error.kind, NetErrorKind::Unsupported);
        assert!(error.to_string().contains("does not listen"), "{error}");
        let file = OwnedFd::from(fs::File::open("/dev/null").unwrap());
        assert!(Listener::from_fd(&core, file).is_err());
    });
}
