//! The tools that move many records, beside a broker on a thread of its own: what is counted is the tool alone.
//!
//! An operation is a thousand records. A tool is called once a run, so that its start falls out with what is done once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use ottla_cli::tools::{console_consumer, console_producer};
use ottla_cli::{Context, Tool};
use tokio::sync::oneshot;

use crate::broker::Broker;
use crate::{WARM_UP, measure};

const TOPIC: &str = "lines";
const RECORDS: usize = 1000;
/// Of thousands of records; the longer run is of twice as many.
const COUNT: u32 = 50;

pub(crate) fn run() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    // Not while anything is counted.
    for count in [WARM_UP, COUNT, 2 * COUNT] {
        write_lines(&file_of(dir.path(), count), count);
    }
    let broker = Beside::start();
    measure("console-producer of 1,000 lines", COUNT, |count| {
        let file = file_of(dir.path(), count).display().to_string();
        broker.call(&console_producer::TOOL, &["--from-file", &file]);
    });
    measure("console-consumer of 1,000 records", COUNT, |count| {
        let records = (count as usize * RECORDS).to_string();
        let words = ["--from-beginning", "--max-messages", &records];
        broker.call(&console_consumer::TOOL, &words);
    });
    broker.stop();
}

fn file_of(dir: &Path, thousands: u32) -> PathBuf {
    dir.join(thousands.to_string())
}

/// So many thousands of lines, of 100 bytes each.
fn write_lines(file: &Path, thousands: u32) {
    let line = format!("{}\n", "x".repeat(99));
    fs::write(file, line.repeat(thousands as usize * RECORDS)).expect("a file");
}

struct Beside {
    address: String,
    stop: oneshot::Sender<()>,
    broker: JoinHandle<()>,
}

impl Beside {
    fn start() -> Self {
        let broker = Broker::start();
        broker.add_topic(TOPIC, 1, "memory");
        let address = broker.address.to_string();
        let (stop, stopped) = oneshot::channel();
        let broker =
            thread::spawn(move || broker.until(async { stopped.await.unwrap_or_default() }));
        Self {
            address,
            stop,
            broker,
        }
    }

    fn call(&self, tool: &Tool, words: &[&str]) {
        let own = ["--bootstrap-server", &self.address, "--topic", TOPIC];
        let words: Vec<String> = own.iter().chain(words).map(|&word| word.into()).collect();
        let mut cx = Context::of_process(tool.name);
        cx.out = Box::new(io::sink());
        cx.err = Box::new(io::sink());
        assert_eq!(ottla_cli::run(tool, &words, &mut cx), 0, "{words:?}");
    }

    fn stop(self) {
        self.stop.send(()).expect("a broker that runs");
        self.broker.join().expect("a broker that stops");
    }
}
