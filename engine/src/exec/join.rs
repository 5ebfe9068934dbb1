//! The handle of a task: await its value, or abort it.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::{CoreId, TaskId, waker};

enum Cell<T> {
    Waiting(Option<Waker>),
    Done(T),
    Gone,
}

/// The task ended without a value: it was aborted, or its core shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinError;

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was aborted")
    }
}

impl std::error::Error for JoinError {}

/// A task's handle. Dropping it lets the task run on.
pub struct JoinHandle<T> {
    cell: Rc<RefCell<Cell<T>>>,
    task: Option<(CoreId, TaskId)>,
}

/// The task's side.
pub(super) struct Completer<T> {
    cell: Rc<RefCell<Cell<T>>>,
}

pub(super) fn pair<T>() -> (JoinHandle<T>, Completer<T>) {
    let cell = Rc::new(RefCell::new(Cell::Waiting(None)));
    (JoinHandle { cell: Rc::clone(&cell), task: None }, Completer { cell })
}

impl<T> JoinHandle<T> {
    pub(super) fn with_abort(mut self, core: CoreId, id: TaskId) -> Self {
        self.task = Some((core, id));
        self
    }

    /// Ends the task at its next turn; awaiting the handle then gives an error.
    pub fn abort(&self) {
        if let Some((core, id)) = self.task {
            waker::request_abort(core, id);
        }
    }

    /// True where the task has ended.
    pub fn is_finished(&self) -> bool {
        !matches!(&*self.cell.borrow(), Cell::Waiting(_))
    }

    /// The value, where the task has ended with one and nobody took it.
    pub fn try_take(&self) -> Option<T> {
        let mut cell = self.cell.borrow_mut();
        if !matches!(&*cell, Cell::Done(_)) {
            return None;
        }
        match std::mem::replace(&mut *cell, Cell::Gone) {
            Cell::Done(value) => Some(value),
            _ => None,
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Cell::Waiting(waker) = &mut *self.cell.borrow_mut() {
            *waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(self.try_take().ok_or(JoinError))
    }
}

impl<T> Completer<T> {
    pub(super) fn complete(&self, value: T) {
        self.settle(Cell::Done(value));
    }

    fn settle(&self, end: Cell<T>) {
        let before = std::mem::replace(&mut *self.cell.borrow_mut(), end);
        if let Cell::Waiting(Some(waker)) = before {
            waker.wake();
        }
    }
}

impl<T> Drop for Completer<T> {
    fn drop(&mut self) {
        if matches!(&*self.cell.borrow(), Cell::Waiting(_)) {
            self.settle(Cell::Gone);
        }
    }
}
