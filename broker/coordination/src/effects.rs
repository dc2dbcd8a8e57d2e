//! What a machine can ask of the world: a closed list.

use ottla_protocol::types::Millis;

use crate::machine::Machine;

/// Stands for one waiting request. The shell makes them; none is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyToken(pub u64);

/// One wish of a machine.
#[derive(Debug)]
pub enum Effect<M: Machine> {
    /// Appends the records as one batch, applies them, and answers the tokens and sends the shell out once the last of
    /// them is committed. Where the log refuses them, the tokens get its error and nobody is sent out.
    Append {
        records: Vec<M::Record>,
        replies: Vec<(ReplyToken, M::Response)>,
        errands: Vec<M::Errand>,
    },
    /// Answers a token as soon as everything the machine has applied so far is committed.
    Reply {
        token: ReplyToken,
        response: M::Response,
    },
    /// Sends the shell out as soon as everything the machine has applied so far is committed.
    Send { errand: M::Errand },
    /// Calls `on_timer` at or after `at`. One timer per name: the last `Arm` counts.
    Arm { timer: M::Timer, at: Millis },
    /// Forgets the timer, armed or not.
    Disarm { timer: M::Timer },
}

/// The wishes of one call, in order.
#[derive(Debug)]
pub struct Effects<M: Machine> {
    list: Vec<Effect<M>>,
}

impl<M: Machine> Default for Effects<M> {
    fn default() -> Self {
        Self { list: Vec::new() }
    }
}

impl<M: Machine> Effects<M> {
    /// Appends records that nobody waits for. Without records this is nothing.
    pub fn append(&mut self, records: Vec<M::Record>) {
        self.append_then(records, Vec::new());
    }

    /// Appends records and answers once they are committed. Without records the answers are plain replies.
    pub fn append_then(
        &mut self,
        records: Vec<M::Record>,
        replies: Vec<(ReplyToken, M::Response)>,
    ) {
        self.append_then_send(records, replies, Vec::new());
    }

    /// Appends records, then answers and sends the shell out for what they have decided, once they are committed.
    pub fn append_then_send(
        &mut self,
        records: Vec<M::Record>,
        replies: Vec<(ReplyToken, M::Response)>,
        errands: Vec<M::Errand>,
    ) {
        if records.is_empty() {
            for (token, response) in replies {
                self.reply(token, response);
            }
            for errand in errands {
                self.send(errand);
            }
            return;
        }
        self.list.push(Effect::Append {
            records,
            replies,
            errands,
        });
    }

    pub fn send(&mut self, errand: M::Errand) {
        self.list.push(Effect::Send { errand });
    }

    pub fn reply(&mut self, token: ReplyToken, response: M::Response) {
        self.list.push(Effect::Reply { token, response });
    }

    pub fn arm(&mut self, timer: M::Timer, at: Millis) {
        self.list.push(Effect::Arm { timer, at });
    }

    pub fn disarm(&mut self, timer: M::Timer) {
        self.list.push(Effect::Disarm { timer });
    }

    /// The list, for a host or a test that carries it out.
    #[must_use]
    pub fn take(self) -> Vec<Effect<M>> {
        self.list
    }
}
