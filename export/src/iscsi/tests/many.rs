//! Many sessions: idle ones cost little.

use byway_proto::scsi::Status;

use super::*;

/// Sessions of the test; the machine's own limit of descriptors allows for both ends of each.
const SESSIONS: u16 = 400;
/// Bytes of the arena that an idle session may hold.
const IDLE_MAX: usize = 64 << 10;

#[test]
fn idle_sessions_are_cheap_and_every_one_works() {
    let arena_mib = usize::from(SESSIONS) * IDLE_MAX / (1 << 20) + 8;
    story_in(arena_mib, config(), |core, to| async move {
        let mut clients = Vec::new();
        for qualifier in 0..SESSIONS {
            clients.push(connect(&core, &to, &Who { qualifier, ..Who::named(ONE) }).await);
            // What a session took for its first commands comes back within some rounds.
            if qualifier % 50 == 49 {
                core.sleep(2_600_000_000 / 10).await;
            }
        }
        for (n, client) in clients.iter_mut().enumerate() {
            let status = client.write(n as u64, pattern(512, n as u8)).await.status;
            assert_eq!(status, Status::Good);
        }
    });
}
