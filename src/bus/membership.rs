//! Who comes and goes: subscriptions, taps, and the end of all.

use std::convert::Infallible;

use super::core::Core;
use super::listeners::{Member, Tap};
use super::routing::Table;
use super::store::Store;
use crate::error::SubscribeError;
use crate::pattern::Pattern;
use crate::sync::Arc;

impl<T> Core<T> {
    /// Lists a member, in the same moment as `publish` runs around the storing.
    ///
    /// It is made outside of the writer's lock, as a queue may be large, and dropped outside if there
    /// is no room, as what its filter captured is the user's.
    pub(super) fn add_member(
        &self,
        patterns: &Arc<[Pattern]>,
        member: impl FnOnce() -> Member<T>,
        publish: impl FnOnce(&mut dyn FnMut()),
    ) -> Result<Arc<Member<T>>, SubscribeError> {
        let limit = self.settings.max_subscribers;
        // So that one that is refused builds no queue; what counts is decided below.
        self.registry.frozen(|table, _| check_room(table, limit))?;
        let member = Arc::new(member());
        self.registry.update_with(
            |table, _| {
                check_room(table, limit)?;
                table.add_member(&member, Arc::clone(patterns));
                Ok::<_, SubscribeError>(())
            },
            publish,
        )?;
        Ok(member)
    }

    /// Takes a member off the list, which frees its slot; `false` if it was not listed.
    pub(super) fn remove_member(&self, member: &Arc<Member<T>>) -> bool {
        let removed = self.registry.update(|table, ledger| {
            let seat = table.remove_member(member.id).ok_or(())?;
            ledger.leave(&seat);
            Ok::<_, ()>(seat)
        });
        member.let_go();
        removed.is_ok()
    }

    /// Closes one subscription. Returns `false` if it was closed before.
    pub(super) fn close_member(&self, member: &Arc<Member<T>>) -> bool {
        // First off the list, so that later emits do not match, then closed, so that those that are
        // on their way do not count as matched.
        self.remove_member(member);
        let closed = self.close_mailbox(member);
        if closed {
            self.tell_closed(member);
        }
        closed
    }

    pub(super) fn set_patterns(
        &self,
        member: &Arc<Member<T>>,
        patterns: Arc<[Pattern]>,
    ) -> Result<(), SubscribeError> {
        self.registry.update(|table, _| {
            if table.remove_member(member.id).is_none() {
                return Err(SubscribeError::Ended);
            }
            table.add_member(member, patterns);
            Ok(())
        })
    }

    pub(super) fn add_tap(
        &self,
        tap: &Arc<Tap<T>>,
        patterns: Arc<[Pattern]>,
    ) -> Result<(), SubscribeError> {
        self.registry.update(|table, _| {
            if table.closed {
                return Err(SubscribeError::Closed);
            }
            table.add_tap(tap, patterns);
            Ok(())
        })
    }

    pub(super) fn remove_tap(&self, tap: &Tap<T>) {
        // An error says that it was not listed any more.
        let _ = self
            .registry
            .update(|table, _| table.remove_tap(tap.id).ok_or(()));
        // What it captured goes now, or when the emit that is inside it leaves.
        self.discard(tap.clear());
    }

    /// Lists a store, in the same moment as it is put into the archive.
    pub(super) fn add_store(
        &self,
        id: u64,
        store: Store<T>,
        patterns: Arc<[Pattern]>,
    ) -> Result<(), SubscribeError> {
        self.registry.update_with(
            |table, _| {
                if table.closed {
                    return Err(SubscribeError::Closed);
                }
                table.add_store(id, patterns);
                Ok(())
            },
            |publish| self.past.add(id, store, publish),
        )
    }

    /// Takes a store off the list, and drops what it holds.
    pub(super) fn remove_store(&self, id: u64) {
        let removed = self.past.remove(id);
        // An error says that it was not listed any more.
        let _ = self
            .registry
            .update(|table, _| table.remove_store(id).ok_or(()));
        for event in removed.into_iter().flat_map(|mut store| store.take()) {
            self.discard_event(event);
        }
    }

    /// Closes the bus: no emit, no subscription, no tap any more; what is queued stays to be read.
    pub(super) fn close(&self) -> bool {
        let ended = self.registry.update(|table, ledger| {
            if table.closed {
                return Err(());
            }
            for seat in table.members() {
                ledger.leave(seat);
            }
            Ok({
                let ended = table.ended();
                std::mem::replace(table, ended)
            })
        });
        let Ok(table) = ended else {
            return false;
        };
        for seat in table.members() {
            self.close_mailbox(&seat.listener);
            seat.listener.let_go();
        }
        for seat in table.taps() {
            self.discard(seat.listener.clear());
        }
        self.drop_past(false);
        self.tell_end(table.member_count());
        true
    }

    /// Closes all subscriptions, empties what is kept of the past and zeroes the counters.
    pub(super) fn reset(&self) {
        let before = self.registry.update(|table, ledger| {
            let open = table.members();
            ledger.reset(self.unbound.sum(), open.iter().map(|seat| &seat.listener));
            drop(open);
            let without = table.without_members();
            let closed = table.closed;
            let before = std::mem::replace(table, without);
            table.closed = closed;
            Ok::<_, Infallible>(before)
        });
        let Ok(table) = before;
        for seat in table.members() {
            self.close_mailbox(&seat.listener);
            seat.listener.let_go();
        }
        self.drop_past(true);
        if let Some(fed) = self.was_fed() {
            fed.reset();
        }
        self.tell_reset(table.member_count());
    }
}

fn check_room<T>(table: &Table<T>, limit: usize) -> Result<(), SubscribeError> {
    if table.closed {
        Err(SubscribeError::Closed)
    } else if table.member_count() >= limit {
        Err(SubscribeError::LimitReached { limit })
    } else {
        Ok(())
    }
}
