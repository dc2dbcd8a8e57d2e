//! Standard input cut into lines.
//!
//! A line ends at `\n`, `\r\n` or a lone `\r`, as in Java; the last one may end with the input. A thread of its own
//! reads, so that batches go out while nobody types.

use std::io::{self, Read};
use std::thread;

use memchr::memchr2;
use tokio::sync::mpsc;

/// Bytes asked for at a time.
const READ_BYTES: usize = 256 * 1024;

/// Chunks read ahead of the producer.
const CHUNKS_AHEAD: usize = 2;

pub(super) struct Lines {
    chunks: mpsc::Receiver<io::Result<Vec<u8>>>,
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to where no end of a line has been found.
    searched: usize,
    /// The last line ended with `\r`: a `\n` right after it belongs to it.
    after_return: bool,
    ended: bool,
}

impl Lines {
    /// Starts reading. The thread ends with the input, or with the process.
    pub(super) fn of(input: impl Read + Send + 'static) -> Self {
        let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
        thread::spawn(move || read_chunks(input, &sender));
        Self {
            chunks,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            after_return: false,
            ended: false,
        }
    }

    /// The next line without its end; `None` after the last.
    pub(super) async fn next(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            if let Some((start, end)) = self.cut() {
                return Ok(self.buffer.get(start..end));
            }
            if self.ended {
                let start = std::mem::replace(&mut self.start, self.buffer.len());
                let last = self.buffer.get(start..).filter(|line| !line.is_empty());
                return Ok(last);
            }
            self.fill().await?;
        }
    }

    /// Start and end of a whole line in the buffer.
    fn cut(&mut self) -> Option<(usize, usize)> {
        if self.after_return && self.start < self.buffer.len() {
            self.after_return = false;
            if self.buffer.get(self.start) == Some(&b'\n') {
                self.start += 1;
                self.searched = self.searched.max(self.start);
            }
        }
        let unseen = self.buffer.get(self.searched..)?;
        let Some(at) = memchr2(b'\n', b'\r', unseen) else {
            self.searched = self.buffer.len();
            return None;
        };
        let (start, end) = (self.start, self.searched + at);
        self.after_return = self.buffer.get(end) == Some(&b'\r');
        self.start = end + 1;
        self.searched = self.start;
        Some((start, end))
    }

    async fn fill(&mut self) -> io::Result<()> {
        let Some(chunk) = self.chunks.recv().await else {
            self.ended = true;
            return Ok(());
        };
        let chunk = chunk?;
        if self.start == self.buffer.len() {
            self.buffer = chunk;
        } else {
            self.buffer.drain(..self.start);
            self.buffer.extend_from_slice(&chunk);
        }
        self.searched -= self.start;
        self.start = 0;
        Ok(())
    }
}

fn read_chunks(mut input: impl Read, chunks: &mpsc::Sender<io::Result<Vec<u8>>>) {
    loop {
        let mut chunk = vec![0; READ_BYTES];
        let read = match input.read(&mut chunk) {
            Ok(0) => return,
            Ok(read) => {
                chunk.truncate(read);
                Ok(chunk)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = read.is_err();
        if chunks.blocking_send(read).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out a few bytes at a time.
    struct Dribble(Vec<u8>, usize);

    impl Read for Dribble {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(into.len());
            let given: Vec<u8> = self.0.drain(..count).collect();
            into[..count].copy_from_slice(&given);
            Ok(count)
        }
    }

    #[tokio::test]
    async fn lines_end_alike_however_the_bytes_arrive() {
        let text = "one\ntwo\r\n\r\nthree\rfour \n\nfive";
        for step in 1..=text.len() {
            let mut lines = Lines::of(Dribble(text.as_bytes().to_vec(), step));
            let mut seen = Vec::new();
            while let Some(line) = lines.next().await.expect("readable") {
                seen.push(String::from_utf8_lossy(line).into_owned());
            }
            assert_eq!(
                seen,
                ["one", "two", "", "three", "four ", "", "five"],
                "step {step}"
            );
        }
    }

    #[tokio::test]
    async fn empty_input_has_no_line() {
        let mut lines = Lines::of(io::empty());
        assert_eq!(lines.next().await.expect("readable"), None);
    }
}
