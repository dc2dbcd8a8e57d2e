//! A terminal for tools that look whether somebody is there.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// The side of whoever sits there, and the tool's.
pub(crate) fn open() -> (File, File) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let path = ptsname(&controller, Vec::new()).unwrap();
    let terminal = File::options()
        .read(true)
        .write(true)
        .open(path.to_str().unwrap())
        .unwrap();
    (File::from(controller), terminal)
}

/// Runs a tool that asks at a terminal, and answers: what it had shown until then, and its exit status.
pub(crate) fn answering(command: &mut Command, answer: &str) -> (String, Option<i32>) {
    let (screen, terminal) = open();
    command.stdout(Stdio::null());
    answer_at(screen, terminal, command, answer)
}

/// The same where standard output is the terminal, too.
pub(crate) fn answering_seen(command: &mut Command, answer: &str) -> (String, Option<i32>) {
    let (screen, terminal) = open();
    command.stdout(terminal.try_clone().unwrap());
    answer_at(screen, terminal, command, answer)
}

fn answer_at(
    mut screen: File,
    terminal: File,
    command: &mut Command,
    answer: &str,
) -> (String, Option<i32>) {
    command
        .stdin(terminal.try_clone().unwrap())
        .stderr(terminal);
    let mut child = command.spawn().unwrap();
    // The command has the terminal as well, which would never end.
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null());
    let (mut shown, mut buffer) = (String::new(), [0; 4096]);
    while !shown.contains("[y/N]") {
        let length = screen.read(&mut buffer).unwrap();
        shown.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    screen.write_all(answer.as_bytes()).unwrap();
    (shown, child.wait().unwrap().code())
}
