//! Standard input cut into lines.
//!
//! A line ends at `\n`, `\r\n` or a lone `\r`, as in Java; the last one may end with the input. A thread of its own
//! reads, so that batches go out while nobody types. Of a line that is longer than any record may be, only as much is kept
//! as makes it one that is refused: input without line breaks takes no more memory than that.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::mpsc as std_mpsc;
use std::thread;

use memchr::memchr2;
use tokio::sync::mpsc;

/// Bytes asked for at a time.
const READ_BYTES: usize = 256 * 1024;

/// Chunks read ahead of the producer.
const CHUNKS_AHEAD: usize = 2;

/// Room before what is read, for the begin of a line that the chunk before ended in: most lines are shorter, and then nothing
/// else is copied.
const CARRIED_BYTES_MAX: usize = 4 * 1024;

const CHUNK_BYTES: usize = CARRIED_BYTES_MAX + READ_BYTES;

/// What was read at once, in memory that is read into again when all lines of it are taken.
#[derive(Default)]
struct Chunk {
    /// As long as it ever was; what counts ends at `end`.
    bytes: Vec<u8>,
    end: usize,
}

pub(super) struct Lines {
    chunks: mpsc::Receiver<io::Result<Chunk>>,
    used: std_mpsc::Sender<Chunk>,
    buffer: Chunk,
    /// Where the next line begins.
    start: usize,
    /// Up to where no end of a line has been found.
    searched: usize,
    /// The last line ended with `\r`: a `\n` right after it belongs to it.
    after_return: bool,
    ended: bool,
    line_bytes_max: usize,
    /// All of the input is one line, which is still to come.
    is_whole: bool,
}

impl Lines {
    /// Starts reading. The thread ends with the input, or with the process. More than `line_bytes_max` and one chunk of a line
    /// is not kept.
    pub(super) fn of(input: impl Read + Send + 'static, line_bytes_max: usize) -> Self {
        let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
        let (used, free) = std_mpsc::channel();
        thread::spawn(move || read_chunks(input, &sender, &free));
        Self {
            chunks,
            used,
            buffer: Chunk::default(),
            start: 0,
            searched: 0,
            after_return: false,
            ended: false,
            line_bytes_max,
            is_whole: false,
        }
    }

    /// The same for input that is one record, whatever is in it.
    pub(super) fn whole(input: impl Read + Send + 'static, line_bytes_max: usize) -> Self {
        Self {
            is_whole: true,
            ..Self::of(input, line_bytes_max)
        }
    }

    /// Finds the next line, without its end; `None` after the last.
    pub(super) async fn next(&mut self) -> io::Result<Option<Range<usize>>> {
        loop {
            if let Some(line) = self.cut() {
                return Ok(Some(line));
            }
            if self.ended {
                let end = self.buffer.end;
                let last = std::mem::replace(&mut self.start, end)..end;
                let is_there = std::mem::take(&mut self.is_whole) || !last.is_empty();
                return Ok(is_there.then_some(last));
            }
            self.fill().await?;
        }
    }

    /// The next line, if all of it has been read.
    pub(super) fn cut(&mut self) -> Option<Range<usize>> {
        let bytes = self.buffer.bytes.get(..self.buffer.end)?;
        if self.after_return && self.start < bytes.len() {
            self.after_return = false;
            if bytes.get(self.start) == Some(&b'\n') {
                self.start += 1;
                self.searched = self.searched.max(self.start);
            }
        }
        let unseen = bytes.get(self.searched..)?;
        let end_of_line = || memchr2(b'\n', b'\r', unseen);
        let Some(at) = (!self.is_whole).then(end_of_line).flatten() else {
            let kept_max = self.start.saturating_add(self.line_bytes_max);
            self.buffer.end = self.buffer.end.min(kept_max);
            self.searched = self.buffer.end;
            return None;
        };
        let (start, end) = (self.start, self.searched + at);
        self.after_return = bytes.get(end) == Some(&b'\r');
        self.start = end + 1;
        self.searched = self.start;
        Some(start..end)
    }

    /// The line that was found last.
    pub(super) fn line(&self, found: Range<usize>) -> &[u8] {
        self.buffer.bytes.get(found).unwrap_or_default()
    }

    async fn fill(&mut self) -> io::Result<()> {
        // Whoever takes lines as fast as they are read leaves nobody else a turn.
        tokio::task::yield_now().await;
        let Some(chunk) = self.chunks.recv().await else {
            self.ended = true;
            return Ok(());
        };
        let mut chunk = chunk?;
        let begun = self.buffer.bytes.get(self.start..self.buffer.end);
        let begun = begun.unwrap_or_default();
        let searched = self.searched - self.start;
        match CARRIED_BYTES_MAX.checked_sub(begun.len()) {
            Some(start) => {
                if let Some(room) = chunk.bytes.get_mut(start..CARRIED_BYTES_MAX) {
                    room.copy_from_slice(begun);
                }
                self.start = start;
                // Nobody waits for it once all has been read.
                let _ = self.used.send(std::mem::replace(&mut self.buffer, chunk));
            }
            None => {
                self.buffer.bytes.truncate(self.buffer.end);
                self.buffer.bytes.drain(..self.start);
                let read = chunk.bytes.get(CARRIED_BYTES_MAX..chunk.end);
                self.buffer
                    .bytes
                    .extend_from_slice(read.unwrap_or_default());
                self.buffer.end = self.buffer.bytes.len();
                self.start = 0;
                let _ = self.used.send(chunk);
            }
        }
        self.searched = self.start + searched;
        Ok(())
    }
}

fn read_chunks(
    mut input: impl Read,
    chunks: &mpsc::Sender<io::Result<Chunk>>,
    free: &std_mpsc::Receiver<Chunk>,
) {
    loop {
        // One that a long line was put together in has grown, and is let go.
        let is_usual = |chunk: &Chunk| chunk.bytes.len() <= CHUNK_BYTES;
        let mut chunk = free.try_recv().ok().filter(is_usual).unwrap_or_default();
        chunk.bytes.resize(CHUNK_BYTES, 0);
        let room = chunk.bytes.get_mut(CARRIED_BYTES_MAX..);
        let read = match input.read(room.unwrap_or_default()) {
            Ok(0) => return,
            Ok(read) => {
                chunk.end = CARRIED_BYTES_MAX + read;
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
            let mut lines = Lines::of(Dribble(text.as_bytes().to_vec(), step), 100);
            let mut seen = Vec::new();
            while let Some(line) = lines.next().await.expect("readable") {
                seen.push(String::from_utf8_lossy(lines.line(line)).into_owned());
            }
            assert_eq!(
                seen,
                ["one", "two", "", "three", "four ", "", "five"],
                "step {step}"
            );
        }
    }

    #[tokio::test]
    async fn lines_that_reads_share_are_whole_also_where_they_are_long() {
        let lengths = [1, CARRIED_BYTES_MAX, CARRIED_BYTES_MAX + 1, 30_000, 0, 7];
        let text: Vec<u8> = lengths
            .iter()
            .flat_map(|&length| [vec![b'x'; length], vec![b'\n']].concat())
            .collect();
        for step in [1000, CARRIED_BYTES_MAX, CARRIED_BYTES_MAX + 1, READ_BYTES] {
            let mut lines = Lines::of(Dribble(text.clone(), step), 100_000);
            let mut seen = Vec::new();
            while let Some(line) = lines.next().await.expect("readable") {
                assert!(lines.line(line.clone()).iter().all(|byte| *byte == b'x'));
                seen.push(line.len());
            }
            assert_eq!(seen, lengths, "step {step}");
        }
    }

    #[tokio::test]
    async fn whole_input_is_one_record_also_where_nothing_is_in_it() {
        let text = "one\r\ntwo\n";
        for (input, step) in [(text, 1), (text, 100), ("", 1)] {
            let mut lines = Lines::whole(Dribble(input.as_bytes().to_vec(), step), 100);
            let all = lines.next().await.expect("readable").expect("a record");
            assert_eq!(lines.line(all), input.as_bytes(), "step {step}");
            assert_eq!(lines.next().await.expect("readable"), None);
        }
    }

    #[tokio::test]
    async fn empty_input_has_no_line() {
        let mut lines = Lines::of(io::empty(), 100);
        assert_eq!(lines.next().await.expect("readable"), None);
    }

    #[tokio::test]
    async fn of_a_line_that_does_not_end_little_is_kept_and_the_next_one_is_whole() {
        let long = "x".repeat(1000);
        let text = format!("one\n{long}\r\ntwo\n{long}");
        for step in [1, 7, 64] {
            let mut lines = Lines::of(Dribble(text.as_bytes().to_vec(), step), 100);
            let mut lengths = Vec::new();
            while let Some(line) = lines.next().await.expect("readable") {
                lengths.push(line.len());
                assert!(lines.buffer.end - lines.start < 200, "step {step}");
            }
            let [one, cut, two, last] = *lengths else {
                panic!("{lengths:?}");
            };
            assert_eq!((one, two, last), (3, 3, 100), "step {step}");
            assert!((100..100 + step).contains(&cut), "step {step}: {cut}");
        }
    }
}
