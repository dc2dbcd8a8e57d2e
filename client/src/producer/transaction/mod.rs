//! Transactions: records and offsets that readers with `read_committed` see together or not at all.
//!
//! `coordinator` says what there is to say, the accumulator's `Scope` keeps records within bounds. Always: what a
//! transaction was told is either all committed or all aborted; a commit whose outcome is not known is carried through before
//! the next transaction begins. Not here: two-phase commit run from outside (KIP-939).

use std::time::Duration;

use ottla_protocol::errors::ErrorCode;
use tokio::time::timeout;

use crate::{
    cluster::{Cluster, lock},
    error::ClientError,
};

mod coordinator;
mod error;
mod open;
#[cfg(test)]
mod tests;

pub(super) use coordinator::{AddFailure, Coordinator};
pub use error::{ErrorClass, TransactionError};
pub use open::Transaction;

use super::{
    ProduceError, Producer, ProducerSettings,
    batch::Identity,
    scope::{Started, TransactionProtocol},
};

/// A producer whose records all belong to transactions. There is one transaction at a time, and it borrows the producer; so
/// nothing can be sent outside of one, and none can be begun within another.
///
/// ```no_run
/// # use std::time::Duration;
/// # use ottla_client::{cluster::Cluster, config::{ClientKind, Patience}};
/// # use ottla_client::producer::{ErrorClass, ProducerSettings, Record, TransactionalProducer};
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = [
///     ("bootstrap.servers", "localhost:9092"),
///     ("transactional.id", "invoices"),
/// ];
/// let settings = ClientKind::Producer.settings(keys)?;
/// let cluster = ClientKind::Producer.cluster_settings(&settings, Patience::Configured)?;
/// let cluster = Cluster::connect(cluster).await?;
/// let settings = ProducerSettings::from_config(&settings)?;
/// let mut producer = TransactionalProducer::init(cluster, settings).await?;
/// for number in 0..10 {
///     let transaction = producer.begin().await?;
///     for topic in ["invoices", "ledger"] {
///         let value = format!("invoice {number}");
///         let record = Record { topic, value: Some(value.as_bytes()), ..Record::default() };
///         transaction.send(record).await?;
///     }
///     match transaction.commit().await {
///         // Nothing of it is seen by anybody; it may be tried again, as another transaction.
///         Err(error) if error.class == ErrorClass::Abortable => eprintln!("{number}: {error}"),
///         // Not known yet: the coordinator has not answered in time.
///         Err(error) if error.class == ErrorClass::Retriable => {
///             println!("{number}: {:?}", producer.settle().await?);
///         }
///         outcome => outcome?,
///     }
/// }
/// producer.close(Duration::from_secs(10)).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TransactionalProducer {
    producer: Producer,
    coordinator: Coordinator,
    identity: Identity,
    protocol: TransactionProtocol,
    state: State,
    /// The coordinator must be asked for another epoch once the transaction has been aborted.
    needs_epoch: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Ready,
    /// Begun and not ended, perhaps because whoever had it has dropped it.
    Open,
    /// The coordinator was told to end it and has not said that it did.
    Ending {
        is_commit: bool,
    },
    /// Ended, and another epoch is not known yet.
    Renewing,
    Failed(TransactionError),
}

/// What became of the last transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// There was nothing left to do.
    Nothing,
    Committed,
    Aborted,
}

impl TransactionalProducer {
    /// Claims the settings' `transactional.id`: another producer with the same one is fenced from now on, and what it left
    /// open is aborted. Waits for that, and for a coordinator, up to `max.block.ms`; after a retriable error the same call can
    /// be made again. Must be called within a tokio runtime.
    pub async fn init(
        cluster: Cluster,
        settings: ProducerSettings,
    ) -> Result<Self, TransactionError> {
        let Some(transactions) = &settings.transactions else {
            return Err(TransactionError {
                class: ErrorClass::InvalidConfiguration,
                cause: ProduceError::Invalid("transactional.id is not set".to_owned()),
            });
        };
        let coordinator = Coordinator::new(cluster.clone(), transactions, settings.block_max);
        let identity = coordinator.init(None).await?;
        Ok(Self {
            producer: Producer::start(cluster, settings),
            protocol: coordinator.protocol().await?,
            coordinator,
            identity,
            state: State::Ready,
            needs_epoch: false,
        })
    }

    pub fn cluster(&self) -> &Cluster {
        self.producer.cluster()
    }

    /// Begins a transaction. Settles the last one first, where its end was left open.
    pub async fn begin(&mut self) -> Result<Transaction<'_>, TransactionError> {
        self.settle().await?;
        let protocol = self.coordinator.protocol().await?;
        if self.protocol == TransactionProtocol::V1 && protocol == TransactionProtocol::V2 {
            // So that what is left of the older protocol's epoch can't get into a transaction of the newer one.
            self.state = State::Renewing;
            self.protocol = protocol;
            self.renew().await?;
        }
        self.protocol = protocol;
        lock(&self.producer.shared.accumulator).begin_transaction(self.identity, protocol);
        self.state = State::Open;
        Ok(Transaction::of(self))
    }

    /// Sees the last transaction through: one that was dropped is aborted, one whose end is not known is ended as it was to
    /// be. After a commit that has failed with a retriable error this tells how it went.
    pub async fn settle(&mut self) -> Result<Settled, TransactionError> {
        match self.state.clone() {
            State::Ready => Ok(Settled::Nothing),
            State::Open => self.abort().await.map(|()| Settled::Aborted),
            State::Ending { is_commit } => {
                self.finish(is_commit).await?;
                Ok(match is_commit {
                    true => Settled::Committed,
                    false => Settled::Aborted,
                })
            }
            State::Renewing => self.renew().await.map(|()| Settled::Aborted),
            State::Failed(error) => Err(error),
        }
    }

    /// Claims the transactional id anew, where that is known to fence nobody: the coordinator has forgotten an id that was not
    /// used for long (`transactional.id.expiration.ms`). In all other cases it does nothing.
    pub(crate) async fn recover(&mut self) -> Result<(), TransactionError> {
        match &self.state {
            State::Failed(error) if error.is_forgotten() => {}
            _ => return Ok(()),
        }
        self.producer.give_transaction_up();
        self.producer.flush().await;
        self.producer.until_nothing_is_added().await;
        self.identity = self.coordinator.init(None).await?;
        self.state = State::Ready;
        Ok(())
    }

    /// Ends: aborts a transaction that was left open, and closes the producer.
    pub async fn close(mut self, within: Duration) {
        match timeout(within, self.settle()).await {
            Ok(Ok(_) | Err(_)) => {}
            Err(_) => tracing::warn!("the last transaction was not settled in time"),
        }
        self.producer.close(within).await;
    }

    async fn commit(&mut self) -> Result<(), TransactionError> {
        self.producer.flush().await;
        let (failure, started) = {
            let mut accumulator = lock(&self.producer.shared.accumulator);
            accumulator.scope().end();
            (
                accumulator.scope().failure().cloned(),
                accumulator.scope().started(),
            )
        };
        if let Some(error) = failure {
            return Err(self.fail(error).await);
        }
        if started == Started::No {
            self.state = State::Ready;
            return Ok(());
        }
        self.state = State::Ending { is_commit: true };
        self.finish(true).await
    }

    /// Aborts where that helps. Where the abort does not succeed either, whoever begins the next transaction learns it.
    async fn fail(&mut self, error: TransactionError) -> TransactionError {
        match error.class {
            ErrorClass::Abortable => drop(self.abort().await),
            _ => self.state = State::Failed(error.clone()),
        }
        error
    }

    async fn abort(&mut self) -> Result<(), TransactionError> {
        self.producer.give_transaction_up();
        self.producer.flush().await;
        self.producer.until_nothing_is_added().await;
        let started = {
            let mut accumulator = lock(&self.producer.shared.accumulator);
            accumulator.scope().end();
            let aborted_by_choice = accumulator
                .scope()
                .failure()
                .is_some_and(|error| error.cause == ProduceError::Aborted);
            // With the newer protocol every transaction has another epoch anyway.
            self.needs_epoch = self.protocol == TransactionProtocol::V1
                && (!aborted_by_choice || accumulator.has_gap());
            accumulator.scope().started()
        };
        match started {
            Started::No => self.renew_or_rest().await,
            Started::Perhaps | Started::Yes => {
                self.state = State::Ending { is_commit: false };
                self.finish(false).await
            }
        }
    }

    /// Has the coordinator end the transaction.
    async fn finish(&mut self, is_commit: bool) -> Result<(), TransactionError> {
        let ended = self
            .coordinator
            .end(self.identity, self.protocol, is_commit)
            .await;
        match ended {
            Ok(next) => {
                self.identity = next.unwrap_or(self.identity);
                self.renew_or_rest().await
            }
            Err(error) if error.class == ErrorClass::Retriable => Err(error),
            Err(error) if !is_commit && self.never_began(&error) => self.renew_or_rest().await,
            Err(error)
                if is_commit
                    && (error.class == ErrorClass::Abortable
                        || self.may_be_over(&error, &[ErrorCode::InvalidTxnState])) =>
            {
                let error = error.into_abortable();
                lock(&self.producer.shared.accumulator)
                    .scope()
                    .fail(error.clone());
                // Boxed because ending a transaction is part of aborting it.
                Err(Box::pin(self.fail(error)).await)
            }
            // An abort that must be aborted would go on for ever.
            Err(error) => {
                let class = match error.class {
                    ErrorClass::Abortable => ErrorClass::Fatal,
                    class => class,
                };
                let error = TransactionError { class, ..error };
                self.state = State::Failed(error.clone());
                Err(error)
            }
        }
    }

    /// The coordinator knows of no transaction, as the request that would have told it has got lost.
    fn never_began(&self, error: &TransactionError) -> bool {
        let started = lock(&self.producer.shared.accumulator).scope().started();
        started == Started::Perhaps && error.code() == Some(ErrorCode::InvalidTxnState)
    }

    /// Whether the coordinator may have aborted the transaction for its age (`transaction.timeout.ms`). With the newer
    /// protocol an abort then succeeds and brings the next epoch, and is refused where another has fenced the producer.
    /// The reference's producer gives up in both cases.
    fn may_be_over(&self, error: &TransactionError, codes: &[ErrorCode]) -> bool {
        let is_one_of_them = error.code().is_some_and(|code| codes.contains(&code));
        self.protocol == TransactionProtocol::V2 && is_one_of_them
    }

    async fn renew_or_rest(&mut self) -> Result<(), TransactionError> {
        if !std::mem::take(&mut self.needs_epoch) {
            self.state = State::Ready;
            return Ok(());
        }
        self.state = State::Renewing;
        self.renew().await
    }

    /// Gets the next epoch from the coordinator.
    async fn renew(&mut self) -> Result<(), TransactionError> {
        match self.coordinator.init(Some(self.identity)).await {
            Ok(identity) => {
                self.identity = identity;
                self.state = State::Ready;
                Ok(())
            }
            Err(error) => {
                if error.class != ErrorClass::Retriable {
                    self.state = State::Failed(error.clone());
                }
                Err(error)
            }
        }
    }
}

impl Producer {
    /// Nothing more of the transaction goes out.
    fn give_transaction_up(&self) {
        let error = TransactionError {
            class: ErrorClass::Abortable,
            cause: ProduceError::Aborted,
        };
        lock(&self.shared.accumulator).scope().fail(error);
        self.shared.work.notify_one();
    }

    /// What adds partitions now could begin the transaction anew after its end.
    async fn until_nothing_is_added(&self) {
        loop {
            let added = self.shared.added.notified();
            tokio::pin!(added);
            added.as_mut().enable();
            if !lock(&self.shared.accumulator).scope().is_adding() {
                return;
            }
            added.await;
        }
    }
}

impl From<ClientError> for TransactionError {
    fn from(error: ClientError) -> Self {
        Self::of_client(error)
    }
}
