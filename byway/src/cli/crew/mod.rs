//! The cores of a server process: a station on each, and questions to all of them.
//!
//! The first core is the one that asks: it opens devices, listens, and tells of the whole. What a station
//! has never leaves its core; questions and answers do, by bounded queues.
//!
//! Invariant: a question is answered once, or its answer is nothing, because the core is gone or has
//! more questions than it can take.

mod group;
mod station;
mod threads;

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::core::{Core, CoreHandle};
use byway_engine::cross::Mailbox;
use byway_engine::error::SetupError;
use byway_engine::exec::Class;
use futures_util::future::join_all;

pub(crate) use group::{ExportPlan, GroupId, ServerPlan};
pub(crate) use station::{CoreFacts, Station, TargetFacts};
pub(crate) use threads::{Cores, Threads};

/// Questions that wait for one core.
const QUESTIONS_MAX: usize = 256;

type Question = Box<dyn FnOnce(&Rc<Station>) + Send>;

/// All stations, as the first core sees them.
pub(crate) struct Crew {
    seats: Vec<Seat>,
}

struct Seat {
    core: CoreHandle,
    questions: Arc<Mailbox<Question>>,
}

impl Crew {
    /// A station on this core, and one on each thread.
    pub(crate) fn start(core: &Rc<Core>, threads: &Threads) -> Result<Crew, SetupError> {
        let first = Seat::new(core.handle());
        let working = work(Station::new(core, 0), first.attended());
        drop(core.spawn(Class::Foreground, "station", working));
        let mut seats = vec![first];
        for thread in threads.all() {
            let (number, seat) = (seats.len(), Seat::new(thread.handle()));
            let attended = seat.attended();
            let working = move |core: Rc<Core>| work(Station::new(&core, number), attended);
            let started = thread.spawn(Class::Foreground, "station", working);
            started.map_err(|_| is_gone(number))?;
            seats.push(seat);
        }
        Ok(Crew { seats })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.seats.len()
    }

    /// A core that has ended before its time.
    pub(crate) fn lost(&self) -> Option<usize> {
        self.seats.iter().position(|seat| !seat.core.is_alive())
    }

    /// Asks one station, and waits for its answer.
    pub(crate) fn ask<T, F, Q>(
        &self,
        number: usize,
        question: Q,
    ) -> impl Future<Output = Option<T>> + use<T, F, Q>
    where
        Q: FnOnce(Rc<Station>) -> F + Send + 'static,
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        let paper = Arc::new(Mailbox::new(1));
        let pen = Pen(Arc::clone(&paper));
        let question: Question = Box::new(move |station| {
            let answer = question(Rc::clone(station));
            let answering = async move { pen.write(answer.await) };
            drop(station.core.spawn(Class::Foreground, "station", answering));
        });
        // One that is not taken is dropped, and with it the pen: then the answer is nothing.
        drop(self.seats[number].questions.put(question));
        async move { paper.next().await }
    }

    /// Asks all stations at the same time; the answers by number.
    pub(crate) async fn ask_all<T, F>(
        &self,
        question: impl FnOnce(Rc<Station>) -> F + Clone + Send + 'static,
    ) -> Vec<Option<T>>
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        join_all((0..self.len()).map(|number| self.ask(number, question.clone()))).await
    }
}

impl Seat {
    fn new(core: CoreHandle) -> Seat {
        Seat { core, questions: Arc::new(Mailbox::new(QUESTIONS_MAX)) }
    }

    fn attended(&self) -> Attended {
        Attended(Arc::clone(&self.questions))
    }
}

/// What an answer is written with, once. Without it, nothing is to be waited for.
struct Pen<T>(Arc<Mailbox<T>>);

impl<T> Pen<T> {
    fn write(&self, answer: T) {
        // Whoever asked may have gone; then nobody needs it.
        drop(self.0.put(answer));
    }
}

impl<T> Drop for Pen<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Questions that somebody takes; when he is gone, those that wait are dropped.
struct Attended(Arc<Mailbox<Question>>);

impl Drop for Attended {
    fn drop(&mut self) {
        self.0.close();
        while self.0.try_next().is_some() {}
    }
}

async fn work(station: Rc<Station>, questions: Attended) {
    while let Some(question) = questions.0.next().await {
        question(&station);
    }
}

fn is_gone(number: usize) -> SetupError {
    SetupError::new(format!("core number {number}"), "it does not answer", "see the log")
}

#[cfg(test)]
mod tests {
    use byway_engine::core::PollMode;
    use byway_engine::reactor::Reactor;

    use super::*;

    #[test]
    fn every_core_is_asked_and_one_that_ends_answers_nothing() {
        let cores = Cores { cpus: Vec::new(), memory: 16 << 20, poll_mode: PollMode::Never };
        let configs = cores.configs_for(3);
        let reactor = Reactor::new(&configs[0]).unwrap();
        let threads = Threads::start(&configs).unwrap();
        let crew = Rc::new(Crew::start(reactor.core(), &threads).unwrap());
        let asked = Rc::clone(&crew);
        let numbers = reactor.run(|_| async move {
            asked
                .ask_all(|station| async move {
                    let name = std::thread::current().id();
                    (station.number, name)
                })
                .await
        });
        let numbers: Vec<_> = numbers.into_iter().map(Option::unwrap).collect();
        assert_eq!(numbers.iter().map(|one| one.0).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(numbers[1].1 != numbers[0].1 && numbers[1].1 != numbers[2].1, "three threads");
        assert_eq!(crew.lost(), None);
        // One answer never comes, since its core ends first.
        let asked = Rc::clone(&crew);
        let waiting = asked.ask(1, |_| std::future::pending::<()>());
        drop(threads);
        assert_eq!(crew.lost(), Some(1));
        let late = crew.ask(2, |_| async {});
        assert_eq!(reactor.run(|_| async move { (waiting.await, late.await) }), (None, None));
    }

    #[test]
    fn a_core_that_hangs_is_waited_for_and_the_others_answer() {
        let cores = Cores { cpus: Vec::new(), memory: 16 << 20, poll_mode: PollMode::Never };
        let configs = cores.configs_for(3);
        let reactor = Reactor::new(&configs[0]).unwrap();
        let threads = Threads::start(&configs).unwrap();
        let crew = Crew::start(reactor.core(), &threads).unwrap();
        let (release, held) = std::sync::mpsc::channel::<()>();
        reactor.run(|core| async move {
            let hanging = crew.ask(1, move |_| async move { held.recv().is_err() });
            let soon = core.now() + 50_000_000;
            let all = byway_engine::core::within(&core, soon, crew.ask_all(|_| async {})).await;
            assert_eq!(all, None, "not all have answered");
            assert_eq!(crew.ask(2, |_| async {}).await, Some(()));
            drop(release);
            assert_eq!(hanging.await, Some(true));
            assert_eq!(crew.ask_all(|_| async {}).await, [Some(()); 3]);
        });
    }
}
