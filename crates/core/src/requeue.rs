//! Campaigns: dead letters on their way back into the queue, the first of them as canaries, the others at a
//! rate, until all are back or one dies again.
//!
//! From: `dead requeue`. To: jobs with their old handles, at the end of their lines; letters leave their shelf
//! in the same step. Never: releases more once a released job died; outlives the process: what was not
//! released then is a dead letter still.

use crate::commands::LetterFilter;
use crate::core::Core;
use crate::event::Ended;
use crate::ids::Moment;
use crate::job::{Kept, NewJob};
use crate::outbox::Outbox;
use crate::persist::{Op, OwnedRecord, Shelf, Wanted};
use crate::reads::{Fetched, Purpose};
use crate::settings::Durability;
use crate::timers::Alarm;
use geartrain_proto::command::{Bytes, Campaign, CampaignState, CommandError};
use geartrain_proto::{Function, Unique};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Campaigns that are remembered; the oldest that is over gives way.
pub(crate) const CAMPAIGNS_MAX: usize = 64;

/// Letters that are read and released at once.
const RELEASED_MAX: usize = 256;

/// Shortest time between two releases of a campaign with a rate; faster ones release several at once.
const TICK_MIN: Duration = Duration::from_millis(20);

/// Pause after the store could not be read.
const READ_PAUSE: Duration = Duration::from_secs(1);

/// What a person wants requeued, and how.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) filter: LetterFilter,
    /// Time between two jobs; `None` is as fast as they can be read.
    pub(crate) interval: Option<Duration>,
    pub(crate) canary: u32,
    pub(crate) function: Option<Bytes>,
    pub(crate) workload: Option<Bytes>,
}

/// All campaigns.
#[derive(Debug, Default)]
pub(crate) struct Campaigns {
    last: u64,
    by_number: BTreeMap<u64, Running>,
    /// Released jobs whose fate is not known yet, and their campaign.
    watched: BTreeMap<u64, u64>,
}

#[derive(Debug)]
struct Running {
    order: Order,
    state: CampaignState,
    /// Letters that are not released yet.
    left: VecDeque<u64>,
    /// Released jobs whose fate is not known yet.
    watched: BTreeSet<u64>,
    /// Whether letters are being read.
    is_reading: bool,
    /// When the rate allows the next release.
    next_release: Moment,
    row: Campaign,
}

impl Running {
    /// How many letters may be released now.
    fn room(&self, now: Moment) -> usize {
        match self.state {
            CampaignState::Canary => {
                let on_its_way = self.watched.len() as u64 + self.row.completed;
                let canaries = u64::from(self.order.canary).saturating_sub(on_its_way);
                usize::try_from(canaries).unwrap_or(RELEASED_MAX)
            }
            CampaignState::Releasing if now < self.next_release => 0,
            CampaignState::Releasing => self.order.interval.map_or(RELEASED_MAX, |interval| {
                let tick = TICK_MIN.max(interval);
                (tick.as_nanos() / interval.as_nanos().max(1)).try_into().unwrap_or(RELEASED_MAX)
            }),
            CampaignState::Waiting | CampaignState::Done | CampaignState::Stopped => 0,
        }
        .min(RELEASED_MAX)
    }

    fn is_over(&self) -> bool {
        matches!(self.state, CampaignState::Done | CampaignState::Stopped)
    }

    /// The state that follows from what is known now.
    fn step(&mut self) {
        let is_idle = self.watched.is_empty() && !self.is_reading;
        self.state = if self.is_over() {
            self.state
        } else if self.row.died > 0 {
            CampaignState::Stopped
        } else if self.left.is_empty() && !self.is_reading {
            if is_idle { CampaignState::Done } else { CampaignState::Waiting }
        } else if self.state == CampaignState::Canary
            && is_idle
            && self.row.completed >= u64::from(self.order.canary)
        {
            CampaignState::Releasing
        } else {
            self.state
        };
        self.row.state = self.state;
    }
}

impl Core {
    pub(crate) fn begin_campaign(
        &mut self,
        order: Order,
        numbers: Vec<u64>,
        out: &mut dyn Outbox,
    ) -> Result<Campaign, CommandError> {
        if self.campaigns.by_number.len() >= CAMPAIGNS_MAX {
            let over = self.campaigns.by_number.iter().find(|(_, campaign)| campaign.is_over());
            let Some(number) = over.map(|(number, _)| *number) else {
                return Err(CommandError::new(format!(
                    "{CAMPAIGNS_MAX} requeues are under way, which is the limit (hint: wait for one to end)"
                )));
            };
            self.campaigns.by_number.remove(&number);
        }
        self.campaigns.last += 1;
        let number = self.campaigns.last;
        let state = if order.canary > 0 { CampaignState::Canary } else { CampaignState::Releasing };
        let matched = numbers.len() as u64;
        let row = Campaign { campaign: number, state, matched, released: 0, completed: 0, died: 0 };
        let (left, watched) = (numbers.into(), BTreeSet::new());
        let (next_release, is_reading) = (self.now.moment, false);
        let campaign = Running { order, state, left, watched, is_reading, next_release, row };
        self.campaigns.by_number.insert(number, campaign);
        self.advance_campaign(number, out);
        Ok(self.campaign_row(number).unwrap_or(row))
    }

    pub(crate) fn campaign_row(&self, number: u64) -> Option<Campaign> {
        self.campaigns.by_number.get(&number).map(|campaign| campaign.row)
    }

    /// Reads the next letters of a campaign, where it may release some.
    pub(crate) fn advance_campaign(&mut self, number: u64, out: &mut dyn Outbox) {
        let Some(campaign) = self.campaigns.by_number.get_mut(&number) else { return };
        campaign.step();
        let room = campaign.room(self.now.moment);
        if campaign.is_reading || room == 0 || campaign.left.is_empty() {
            return;
        }
        let (mut numbers, mut bytes) = (Vec::new(), 0);
        while let Some(letter) = campaign.left.front().copied() {
            let len = self.archive.shelf(Shelf::Dead).get(letter).map_or(0, |letter| letter.bytes);
            if numbers.len() >= room || (bytes > 0 && bytes + len > crate::commands::READ_BYTES_MAX) {
                break;
            }
            bytes += len;
            numbers.push(letter);
            campaign.left.pop_front();
        }
        campaign.is_reading = true;
        self.read(Wanted::Letters(Shelf::Dead), &numbers, Purpose::campaign(number, numbers.clone()), out);
    }

    /// Letters of a campaign were read, or could not be.
    pub(crate) fn release_letters(
        &mut self,
        number: u64,
        asked: Vec<u64>,
        fetched: Result<Vec<Fetched>, ()>,
        out: &mut dyn Outbox,
    ) {
        let Some(campaign) = self.campaigns.by_number.get_mut(&number) else { return };
        campaign.is_reading = false;
        let Ok(fetched) = fetched else {
            asked.into_iter().rev().for_each(|letter| campaign.left.push_front(letter));
            return self.timers.set_alarm(self.now.moment.after(READ_PAUSE), Alarm::Campaign(number));
        };
        let asked = asked.len();
        let mut released = 0;
        for letter in fetched {
            released += usize::from(self.release_letter(number, letter, out));
        }
        let Some(campaign) = self.campaigns.by_number.get_mut(&number) else { return };
        campaign.row.matched -= (asked - released) as u64;
        campaign.step();
        match (campaign.state, campaign.order.interval) {
            (CampaignState::Releasing, Some(interval)) => {
                campaign.next_release = self.now.moment.after(interval.max(TICK_MIN));
                self.timers.set_alarm(campaign.next_release, Alarm::Campaign(number));
            }
            _ => self.advance_campaign(number, out),
        }
    }

    /// Puts one letter back into the queue; whether it went.
    fn release_letter(&mut self, campaign: u64, letter: Fetched, out: &mut dyn Outbox) -> bool {
        let number = letter.record.number;
        let Some(running) = self.campaigns.by_number.get(&campaign) else { return false };
        let is_stopped = running.state == CampaignState::Stopped;
        if is_stopped
            || !running.order.filter.takes_contents(&letter)
            || self.archive.shelf(Shelf::Dead).get(number).is_none()
        {
            return false;
        }
        let OwnedRecord { function, unique, priority, workload, reducer, .. } = letter.record;
        let function = running.order.function.as_ref().map_or(function, |other| other.0.clone());
        let workload = running.order.workload.as_ref().map_or(workload, |other| other.0.clone());
        let unique = Unique::new(&unique);
        let Some(function) = self.function_for(Function::new(&function)) else { return false };
        // A live job of its unique does its work already.
        let Err(identity) = self.jobs.find_identity(function, unique, &workload) else { return false };
        let is_stored = self.settings.durability == Durability::Stored;
        let key = self.jobs.insert(&NewJob {
            number,
            function,
            unique,
            identity,
            priority,
            workload: &workload,
            reducer: reducer.as_deref(),
            submitted: self.now.unix,
            attempts: 0,
            lost: 0,
            // Its record is written in the same step in which the letter goes, and kept until that succeeds.
            kept: if is_stored { Kept::Stored } else { Kept::InMemory },
        });
        self.place(key, None, self.now.unix);
        if is_stored {
            let (place, ticket) = (self.take_number(out), self.writing.next_ticket());
            out.persist(ticket, Op::Put(self.record(self.jobs.get(key), place)));
            self.writing.owe(number, ticket);
        }
        self.unfile_letter(Shelf::Dead, number, out);
        self.keep_function(function, out);
        if let Some(running) = self.campaigns.by_number.get_mut(&campaign) {
            running.row.released += 1;
            running.watched.insert(number);
        }
        self.campaigns.watched.insert(number, campaign);
        self.wake_if_ready(function, out);
        true
    }

    /// A job is gone: its campaign, if it has one, learns how.
    pub(crate) fn tell_campaign(&mut self, number: u64, how: Ended, out: &mut dyn Outbox) {
        if self.campaigns.watched.is_empty() {
            return;
        }
        let Some(campaign) = self.campaigns.watched.remove(&number) else { return };
        let Some(running) = self.campaigns.by_number.get_mut(&campaign) else { return };
        running.watched.remove(&number);
        match how {
            Ended::Dead(_) | Ended::Failed | Ended::Exception => running.row.died += 1,
            Ended::Completed => running.row.completed += 1,
            // It says nothing of the others: where it was a canary, another one takes its place.
            Ended::Cancelled | Ended::Abandoned | Ended::NotStored => {}
        }
        self.advance_campaign(campaign, out);
    }
}
