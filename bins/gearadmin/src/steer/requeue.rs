//! Requeueing dead letters, and following what becomes of them.
//!
//! From: `dead requeue`. To: one sentence about its end, and the exit status: 2 when it stopped.
//! Never: ends the requeue itself; it goes on in the server when nobody follows.

use super::actions::Requeue;
use super::change;
use super::progress::Progress;
use super::session::Session;
use super::shown::{count, counted};
use crate::{EXIT_FAILED, EXIT_REFUSED};
use anyhow::bail;
use geartrain_client::Connection;
use geartrain_proto::command::{Bytes, Campaign, CampaignState, Command, DeadProgress, DeadRequeue};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Time between two looks at how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// `dead requeue`
///
/// # Errors
/// When the server refuses it.
pub(crate) fn start(session: &Session<'_>, requeue: &Requeue) -> anyhow::Result<u8> {
    if requeue.which.is_all() && !requeue.consent.all {
        bail!("nothing says which are meant (hint: HANDLE, --function, --group, or --all for all of them)");
    }
    let workload = super::workload(requeue.workload.as_deref(), requeue.workload_file.as_deref())?;
    let command = DeadRequeue {
        filter: requeue.which.filter(),
        rate: requeue.rate.clone(),
        canary: requeue.canary,
        function: requeue.to.as_deref().map(Bytes::from),
        workload,
    };
    let left = left_alone()?;
    let mut connection = session.connect_one()?;
    let handles = &requeue.which.handles;
    if handles.is_empty() && !change::agreed_to_requeue(session, &mut connection, requeue)? {
        return Ok(0);
    }
    let campaign = ask(session, &mut connection, Command::DeadRequeue(Box::new(command)))?;
    if campaign.matched == 0 && handles.is_empty() {
        session.done("no dead letter matches")?;
        return Ok(0);
    }
    if campaign.matched == 0 {
        change::all_dead(&connection, handles, 0)?;
    }
    if requeue.detach {
        session.done(&format!(
            "requeue {} of {} goes on in the server (hint: gearadmin dead progress {0})",
            campaign.campaign,
            counted(campaign.matched, "dead letter")
        ))?;
        change::all_dead(&connection, handles, campaign.matched)?;
        return Ok(0);
    }
    let status = follow(session, &mut connection, campaign, &left)?;
    change::all_dead(&connection, handles, campaign.matched)?;
    Ok(status)
}

/// `dead progress`
///
/// # Errors
/// When the server does not know it.
pub(crate) fn follow_again(session: &Session<'_>, campaign: u64) -> anyhow::Result<u8> {
    let left = left_alone()?;
    let mut connection = session.connect_one()?;
    let campaign = ask(session, &mut connection, progress_of(campaign))?;
    follow(session, &mut connection, campaign, &left)
}

/// Becomes true with the first Ctrl-C; the second ends the program.
fn left_alone() -> anyhow::Result<Arc<AtomicBool>> {
    let left = Arc::new(AtomicBool::new(false));
    let interrupt = nix::sys::signal::Signal::SIGINT as i32;
    signal_hook::flag::register_conditional_shutdown(interrupt, EXIT_FAILED.into(), Arc::clone(&left))?;
    signal_hook::flag::register(interrupt, Arc::clone(&left))?;
    Ok(left)
}

fn progress_of(campaign: u64) -> Command {
    Command::DeadProgress(Box::new(DeadProgress { campaign }))
}

fn ask(session: &Session<'_>, connection: &mut Connection, command: Command) -> anyhow::Result<Campaign> {
    let mut answer = None;
    session.change(connection, command, |campaign| answer = Some(campaign))?;
    answer.ok_or_else(|| anyhow::anyhow!("the server did not say how far the requeue is"))
}

fn follow(
    session: &Session<'_>,
    connection: &mut Connection,
    mut campaign: Campaign,
    left: &AtomicBool,
) -> anyhow::Result<u8> {
    let progress = Progress::rows(Some(campaign.matched), session.is_json());
    while !is_over(campaign.state) {
        progress.at(campaign.completed + campaign.died);
        progress.say(phase(&campaign));
        // The wait is in pieces, so that Ctrl-C is noticed within one.
        std::thread::sleep(LOOK_EVERY);
        if left.load(Ordering::Relaxed) {
            progress.end();
            super::say_note(&format!(
                "requeue {} goes on in the server, {} (hint: gearadmin dead progress {0})",
                campaign.campaign,
                phase(&campaign)
            ));
            return Ok(EXIT_FAILED);
        }
        let before = campaign;
        campaign = look(session, connection, campaign.campaign)?;
        if campaign != before && session.is_json() {
            super::export::write_line(&mut std::io::stdout().lock(), &campaign)?;
        }
    }
    progress.end();
    let stayed = campaign.matched.saturating_sub(campaign.released);
    if campaign.state == CampaignState::Stopped {
        super::say(&format!(
            "requeue {} stopped: {} of {} released died again, {} completed; {} not released (hint: \
             gearadmin dead groups says why)",
            campaign.campaign,
            count(campaign.died),
            count(campaign.released),
            count(campaign.completed),
            counted(stayed, "dead letter")
        ));
        return Ok(EXIT_REFUSED);
    }
    session.done(&format!(
        "requeued {}: {} completed, {} died again",
        counted(campaign.released, "dead letter"),
        count(campaign.completed),
        count(campaign.died)
    ))?;
    Ok(0)
}

/// A look that writes no row: only what changed is written.
fn look(session: &Session<'_>, connection: &mut Connection, campaign: u64) -> anyhow::Result<Campaign> {
    let rows = connection.ask_typed(&progress_of(campaign), session.limits())?;
    let last = rows.typed::<Campaign>().last().transpose()?;
    last.ok_or_else(|| anyhow::anyhow!("the server did not say how far the requeue is"))
}

const fn is_over(state: CampaignState) -> bool {
    match state {
        CampaignState::Done | CampaignState::Stopped => true,
        CampaignState::Canary | CampaignState::Releasing | CampaignState::Waiting => false,
    }
}

fn phase(campaign: &Campaign) -> String {
    let what = match campaign.state {
        CampaignState::Canary => "waiting for the canary",
        CampaignState::Releasing => "releasing",
        CampaignState::Waiting => "waiting for the last ones",
        CampaignState::Done => "done",
        CampaignState::Stopped => "stopped",
    };
    format!("{what}, {} released, {} completed", count(campaign.released), count(campaign.completed))
}
