//! Whose a report is: the jobs of one connection that were accepted and have not ended, by their handle.
//!
//! From: `JOB_CREATED`, which ties a token to a handle. To: the token that a `WORK_*` packet is for.
//! Never: knows what a job is or who waits for it.

use super::handle::OwnedHandle;
use foldhash::fast::RandomState;
use std::collections::{HashMap, VecDeque};

#[derive(Debug)]
pub(super) struct Jobs<T> {
    by_handle: HashMap<OwnedHandle, Waiting<T>, RandomState>,
    /// How many tokens there are, over all handles.
    tokens: usize,
}

/// Who waits for a job.
#[derive(Debug)]
enum Waiting<T> {
    One(T),
    /// Submits of one unique over one connection. The server sends each report once for each of them, so the
    /// copies are dealt out in turn, and `next` gets the next one.
    Several {
        tokens: VecDeque<T>,
        next: usize,
    },
}

/// What a report does to the one it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// More may follow.
    GoesOn,
    /// It is the last.
    Ends,
}

impl<T: Copy> Jobs<T> {
    pub(super) fn new() -> Self {
        Self { by_handle: HashMap::default(), tokens: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.tokens
    }

    pub(super) fn insert(&mut self, handle: OwnedHandle, token: T) {
        self.tokens += 1;
        self.by_handle
            .entry(handle)
            .and_modify(|waiting| match waiting {
                Waiting::One(first) => {
                    *waiting = Waiting::Several { tokens: VecDeque::from([*first, token]), next: 0 };
                }
                Waiting::Several { tokens, .. } => tokens.push_back(token),
            })
            .or_insert(Waiting::One(token));
    }

    /// Whom a report about this handle is for; `None` when nobody waits for it.
    pub(super) fn take(&mut self, handle: &[u8], effect: Effect) -> Option<T> {
        match effect {
            Effect::GoesOn => match self.by_handle.get_mut(handle)? {
                Waiting::One(token) => Some(*token),
                Waiting::Several { tokens, next } => {
                    let token = *tokens.get(*next)?;
                    *next = (*next + 1) % tokens.len();
                    Some(token)
                }
            },
            Effect::Ends => self.remove(handle),
        }
    }

    /// Looks only once for a job that one waits for, as nearly all are.
    fn remove(&mut self, handle: &[u8]) -> Option<T> {
        let (handle, waiting) = self.by_handle.remove_entry(handle)?;
        let token = match waiting {
            Waiting::One(token) => token,
            Waiting::Several { mut tokens, mut next } => {
                let token = tokens.remove(next)?;
                if next >= tokens.len() {
                    next = 0;
                }
                if !tokens.is_empty() {
                    self.by_handle.insert(handle, Waiting::Several { tokens, next });
                }
                token
            }
        };
        self.tokens -= 1;
        Some(token)
    }

    /// All who still wait, and for what; in no order.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (T, OwnedHandle)> {
        self.tokens = 0;
        std::mem::take(&mut self.by_handle).into_iter().flat_map(|(handle, waiting)| {
            let tokens = match waiting {
                Waiting::One(token) => VecDeque::from([token]),
                Waiting::Several { tokens, .. } => tokens,
            };
            tokens.into_iter().map(move |token| (token, handle))
        })
    }
}
