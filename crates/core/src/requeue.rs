//! Campaigns.
use crate::core::Core;
use crate::outbox::Outbox;

impl Core {
    pub(crate) fn campaign_is_due(&mut self, _number: u64, _out: &mut dyn Outbox) {}
}
