//! The server's time zone.

use anyhow::{Result, anyhow};
use geartrain_core::check_zone;

/// The zone that was asked for, else the one of the system, as `TZ` or its files name it, else UTC.
pub(super) fn time_zone(given: Option<&str>) -> Result<String> {
    if let Some(zone) = given {
        return match check_zone(zone) {
            Ok(()) => Ok(zone.to_owned()),
            Err(error) => {
                Err(anyhow!("the argument ('{zone}') for option '--time-zone' is invalid: {error}"))
            }
        };
    }
    let of_variable = std::env::var("TZ").ok().map(|zone| zone.trim_start_matches(':').to_owned());
    let of_system = of_variable.or_else(|| iana_time_zone::get_timezone().ok());
    Ok(of_system.filter(|zone| check_zone(zone).is_ok()).unwrap_or_else(|| "UTC".to_owned()))
}
