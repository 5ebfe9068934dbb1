//! The server: one task per connection, which checks and answers every message.

use std::cell::RefCell;
use std::rc::Rc;

use byway_engine::core::Core;
use byway_engine::exec::Class;
use byway_engine::net::{Address, ListenOptions, Listener, NetError, Stream};

use super::ledger::Ledger;
use super::message::{self, BODY_LEN_MAX, HEADER_LEN, Header};

/// Serves until its host crashes.
pub(super) async fn serve(core: Rc<Core>, address: Address, ledger: Rc<RefCell<Ledger>>) {
    let listener = match Listener::bind(&core, &address, ListenOptions::default()) {
        Ok(listener) => listener,
        Err(error) => return ledger.borrow_mut().fail(error.to_string()),
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let answering = answer_all(Rc::clone(&core), stream, Rc::clone(&ledger));
                drop(core.spawn(Class::Foreground, "answer", answering));
            }
            Err(error) => return ledger.borrow_mut().fail(error.to_string()),
        }
    }
}

async fn answer_all(core: Rc<Core>, stream: Stream, ledger: Rc<RefCell<Ledger>>) {
    // A connection that breaks is the network's fault, and the client's to mend.
    let _broken = answer_until_broken(&core, &stream, &ledger).await;
}

async fn answer_until_broken(
    core: &Core,
    stream: &Stream,
    ledger: &RefCell<Ledger>,
) -> Result<(), NetError> {
    let mut client = [0; 8];
    if !message::receive(core, stream, &mut client).await? {
        return Ok(());
    }
    let client = u64::from_le_bytes(client);
    let mut expected = None;
    loop {
        let mut header = [0; HEADER_LEN];
        if !message::receive(core, stream, &mut header).await? {
            return Ok(());
        }
        let header = Header::decode(header);
        if u64::from(header.body_len) > BODY_LEN_MAX {
            let reason = format!("client {client}: a header of {} bytes", header.body_len);
            ledger.borrow_mut().fail(reason);
            return Ok(());
        }
        let mut body = vec![0; header.body_len as usize];
        if !message::receive(core, stream, &mut body).await? {
            return Ok(());
        }
        let crc = crc32c::crc32c(&body);
        if crc != header.crc {
            let number = header.number;
            let reason = format!("client {client}: message {number} fails its check");
            ledger.borrow_mut().fail(reason);
            return Ok(());
        }
        ledger.borrow_mut().received(client, header.number, expected, crc);
        expected = Some(header.number + 1);
        message::send(core, stream, &header.answer()).await?;
    }
}
