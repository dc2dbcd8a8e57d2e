//! The lag as time, beside the lag as count.

use super::{broker, described, groups, produce, read, stdout};
use crate::wait;

#[test]
fn the_age_of_the_first_unread_record_is_shown_where_it_is_asked_for() {
    let server = broker();
    produce(&server, 10);
    read(&server, "g", 4);

    let plain = stdout(&groups(&server, "--describe --group g"));
    assert!(!plain.contains("TIME-LAG"));
    let time_lag = || {
        let output = groups(&server, "--describe --group g --time-lag --output json");
        let report = super::parsed(&output);
        report["groups"][0]["offsets"][0]["timeLagMs"].as_u64()
    };
    let first = time_lag().expect("a lag");
    wait::until("the lag to grow", || {
        time_lag().expect("a lag") > first + 100
    });

    let table = stdout(&groups(&server, "--describe --group g --time-lag"));
    let head = table.lines().nth(1).expect("a head");
    assert!(
        head.contains("LAG             TIME-LAG        CONSUMER-ID"),
        "{head}"
    );

    // Who has read everything is not behind.
    read(&server, "g", 6);
    assert_eq!(time_lag(), Some(0));
    // Nobody pays for what was not asked for.
    assert!(
        described(&server, "g")["groups"][0]["offsets"][0]
            .get("timeLagMs")
            .is_none()
    );
}
