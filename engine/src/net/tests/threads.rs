//! Two reactors on two threads talk to each other.

use std::sync::mpsc;

use super::*;
use crate::reactor::ReactorThread;

const ROUNDS: u32 = 200;

/// Answers every number with its successor until the peer is done.
async fn serve(core: Rc<Core>, listener: Listener) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut buffer = payload(&core, &[4]);
    loop {
        let result;
        (result, buffer) = stream.receive(buffer).await;
        match result.unwrap() {
            0 => return,
            got => assert_eq!(got, 4),
        }
        let number = u32::from_le_bytes(bytes(&buffer, 4).try_into().unwrap());
        buffer.copy_from(0, &(number + 1).to_le_bytes());
        let sent;
        (sent, buffer) = stream.send(buffer).await;
        sent.unwrap();
    }
}

async fn ask(core: Rc<Core>, to: Address) -> u32 {
    let stream = Stream::connect(&core, &to).await.unwrap();
    let mut number = 0u32;
    for _ in 0..ROUNDS {
        send_bytes(&core, &stream, &number.to_le_bytes()).await;
        let got = receive_bytes(&core, &stream, 4).await;
        number = u32::from_le_bytes(got.try_into().unwrap());
    }
    number
}

#[test]
fn two_reactors_talk() {
    for off in kernels() {
        let dir = Dir::new();
        for address in [loopback(), dir.address("threads")] {
            let server = ReactorThread::start(config(off)).unwrap();
            let client = ReactorThread::start(config(off)).unwrap();
            let (to, from) = mpsc::channel();
            server
                .spawn(Class::Foreground, "serve", move |core| {
                    let listener = listen(&core, &address);
                    to.send(listener.local_address().clone()).unwrap();
                    serve(core, listener)
                })
                .unwrap();
            let address = from.recv().unwrap();
            assert_eq!(client.block_on(|core| ask(core, address)), Some(ROUNDS), "{off:?}");
        }
    }
}
