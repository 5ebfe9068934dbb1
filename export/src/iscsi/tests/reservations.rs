//! Persistent reservations between two nexuses, over sessions and over a restart of the target.

use byway_engine::block::Op;
use byway_engine::block::wrap::{Fault, FaultAction, FaultPlan, FaultRule};
use byway_proto::reservation::Kind;
use byway_proto::scsi::cdb::{
    Command, ReserveIn, ReserveInAction, ReserveOut, ReserveOutAction, Transfer,
};
use byway_proto::scsi::data::ReserveList;
use byway_proto::scsi::{SenseCode, Status};

use super::*;

const KEY_ONE: u64 = 0x1111;
const KEY_TWO: u64 = 0x2222;

async fn out(client: &mut Client, action: ReserveOutAction, list: ReserveList) -> Status {
    let list = list.build();
    let kind = Kind::WriteExclusiveRegistrantsOnly.to_type();
    let list_len = list.len() as u32;
    let command = Command::ReserveOut(ReserveOut { action, scope: 0, kind, list_len });
    client.run_out(command, list).await.status
}

fn list(key: u64, action_key: u64, keep: bool) -> ReserveList {
    ReserveList { key, action_key, all_ports: false, keep, also: None }
}

async fn register(client: &mut Client, key: u64, keep: bool) {
    let status = out(client, ReserveOutAction::Register, list(0, key, keep)).await;
    assert_eq!(status, Status::Good);
}

async fn keys(client: &mut Client) -> Vec<u64> {
    let read = ReserveIn { action: ReserveInAction::ReadKeys, allocation: 256 };
    let data = client.run(Command::ReserveIn(read), 256).await.data;
    data[8..].chunks_exact(8).map(|key| u64::from_be_bytes(key.try_into().unwrap())).collect()
}

#[test]
fn who_is_not_registered_cannot_write() {
    story(config(), |core, to| async move {
        let mut one = connect(&core, &to, &Who::named(ONE)).await;
        let mut two = connect(&core, &to, &Who::named(TWO)).await;
        register(&mut one, KEY_ONE, false).await;
        let reserved = out(&mut one, ReserveOutAction::Reserve, list(KEY_ONE, 0, false)).await;
        assert_eq!(reserved, Status::Good);
        assert_eq!(two.write(0, vec![1; 512]).await.status, Status::ReservationConflict);
        register(&mut two, KEY_TWO, false).await;
        assert_eq!(two.write(0, vec![1; 512]).await.status, Status::Good);
        assert_eq!(keys(&mut one).await, [KEY_ONE, KEY_TWO]);
    });
}

#[test]
fn a_registration_outlives_its_session() {
    story(config(), |core, to| async move {
        let mut one = connect(&core, &to, &Who::named(ONE)).await;
        register(&mut one, KEY_ONE, false).await;
        out(&mut one, ReserveOutAction::Reserve, list(KEY_ONE, 0, false)).await;
        drop(one);
        let mut again = connect(&core, &to, &Who::named(ONE)).await;
        assert_eq!(again.write(0, vec![1; 512]).await.status, Status::Good);
        let mut other_port = connect(&core, &to, &Who { qualifier: 2, ..Who::named(ONE) }).await;
        let refused = other_port.write(0, vec![1; 512]).await.status;
        assert_eq!(refused, Status::ReservationConflict);
    });
}

#[test]
fn preempt_and_abort_answers_when_the_writes_of_the_victim_are_over() {
    const SLOW_NS: u64 = 30_000_000;
    let rule = FaultRule::new(FaultAction::Delay { ns: SLOW_NS }).on(Op::Write).times(1);
    let device = Arc::new(Fault::new(mem(1), FaultPlan::new(1).rule(rule)));
    story(config_with(device), |core, to| async move {
        let mut one = connect(&core, &to, &Who::named(ONE)).await;
        let mut two = connect(&core, &to, &Who::named(TWO)).await;
        register(&mut one, KEY_ONE, false).await;
        register(&mut two, KEY_TWO, false).await;
        out(&mut one, ReserveOutAction::Reserve, list(KEY_ONE, 0, false)).await;
        let write = Command::Write(Transfer::new(0, 1));
        let itt = one.start(write.build(), 0, vec![1; 512]).await;
        core.sleep(1_000_000).await;
        let begun = core.now();
        let preempt = list(KEY_TWO, KEY_ONE, false);
        let status = out(&mut two, ReserveOutAction::PreemptAndAbort, preempt).await;
        assert_eq!(status, Status::Good);
        assert!(core.now() - begun >= SLOW_NS / 2, "the write of the victim ended first");
        let told = one.run(Command::TestUnitReady, 0).await.sense;
        assert_eq!(told, Some(SenseCode::REGISTRATIONS_PREEMPTED));
        assert!(!one.is_answered(itt));
        assert_eq!(one.write(0, vec![2; 512]).await.status, Status::ReservationConflict);
        assert_eq!(two.write(0, vec![3; 512]).await.status, Status::Good);
    });
}

/// Keeps state as long as it lives.
#[derive(Default)]
struct Remembers(std::cell::RefCell<std::collections::BTreeMap<u32, Vec<u8>>>);

impl StateStore for Remembers {
    fn load(&self, unit: u32) -> Result<Option<Vec<u8>>, byway_engine::error::SetupError> {
        Ok(self.0.borrow().get(&unit).cloned())
    }

    fn save(&self, unit: u32, bytes: Vec<u8>) -> Saving {
        self.0.borrow_mut().insert(unit, bytes);
        Box::pin(async { Ok(()) })
    }
}

#[test]
fn kept_reservations_outlive_the_target_and_others_do_not() {
    for keep in [true, false] {
        let store: Rc<dyn StateStore> = Rc::new(Remembers::default());
        let device = mem(1);
        let mut first = config_with(Arc::clone(&device));
        first.state = Some(Rc::clone(&store));
        story(first, move |core, to| async move {
            let mut one = connect(&core, &to, &Who::named(ONE)).await;
            register(&mut one, KEY_ONE, keep).await;
            out(&mut one, ReserveOutAction::Reserve, list(KEY_ONE, 0, false)).await;
        });
        let mut second = config_with(device);
        second.state = Some(store);
        story(second, move |core, to| async move {
            let mut two = connect(&core, &to, &Who::named(TWO)).await;
            let status = two.write(0, vec![1; 512]).await.status;
            let expected = if keep { Status::ReservationConflict } else { Status::Good };
            assert_eq!(status, expected);
            assert_eq!(keys(&mut two).await.len(), usize::from(keep));
        });
    }
}
