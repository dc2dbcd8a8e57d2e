//! Offsets from a file that does not fit the cluster.

use super::{broker, groups, offset, produce, read, stderr, stdout};

#[test]
fn a_file_that_asks_for_what_is_not_there_moves_nothing() {
    let server = broker();
    produce(&server, 10);
    read(&server, "g", 4);
    let folder = tempfile::tempdir().unwrap();
    for (rows, status, on_stdout, on_stderr) in [
        (
            "orders,0,1\nnowhere,0,1\n",
            0,
            "org.apache.kafka.common.errors.UnknownTopicOrPartitionException: Failed to fetch metadata for partition \
             nowhere-0 because metadata for topic `nowhere` could not be found\n",
            "kafka-topics --list",
        ),
        (
            "orders,0,1\norders,7,1\n",
            0,
            "The partitions \"orders-7\" do not exist\n",
            "kafka-topics --describe",
        ),
        // The reference takes it for a mistake in the options.
        ("orders,0,-3\n", 1, "", "Invalid negative offset: -3"),
    ] {
        let file = folder.path().join("rows.csv");
        std::fs::write(&file, rows).unwrap();
        let file = file.display();
        let output = groups(
            &server,
            &format!("--reset-offsets --group g --from-file {file} --execute"),
        );
        assert_eq!(output.status.code(), Some(status), "{rows}");
        assert!(stdout(&output).ends_with(on_stdout), "{}", stdout(&output));
        assert!(stderr(&output).contains(on_stderr), "{}", stderr(&output));
        assert_eq!(offset(&server, "g"), 4, "{rows}");
    }
}
