//! One of the two connections to a peer, as its writer sees it: what waits to be sent, and which connection
//! stands. Knows frames, not messages.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::SinkExt;
use futures_util::stream::SplitSink;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::interval;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;

/// A connection on which nothing came for three of these is given up; one ping is sent in each.
const PING_EVERY: Duration = Duration::from_secs(1);

/// Which of the two connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LaneKind {
    Control,
    Bulk,
}

pub(super) struct Lane {
    queue: RefCell<VecDeque<Bytes>>,
    queued_bytes: Cell<usize>,
    limit_bytes: usize,
    /// Number of the connection that stands; each new one replaces the one before.
    pub(super) link: Cell<u64>,
    pub(super) up: Cell<bool>,
    wake: Notify,
}

impl Lane {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self {
            queue: RefCell::default(),
            queued_bytes: Cell::new(0),
            limit_bytes,
            link: Cell::new(0),
            up: Cell::new(false),
            wake: Notify::new(),
        }
    }

    /// Ends the connection that stands, and returns the number of the next one.
    pub(super) fn replace(&self) -> u64 {
        self.link.set(self.link.get() + 1);
        self.up.set(false);
        self.clear();
        self.wake.notify_waiters();
        self.link.get()
    }

    /// Queues a frame; false if there is no room for it.
    pub(super) fn push(&self, frame: Bytes) -> bool {
        let bytes = self.queued_bytes.get() + frame.len();
        let fits = bytes <= self.limit_bytes;
        if fits {
            self.queued_bytes.set(bytes);
            self.queue.borrow_mut().push_back(frame);
        }
        fits
    }

    /// Everything of one step has been queued.
    pub(super) fn flush(&self) {
        if self.queued_bytes.get() != 0 {
            self.wake.notify_one();
        }
    }

    pub(super) fn clear(&self) {
        self.queue.borrow_mut().clear();
        self.queued_bytes.set(0);
    }

    /// Writes what is queued, everything of one step before one flush.
    pub(super) async fn write<S>(
        &self,
        link: u64,
        mut sink: SplitSink<WebSocketStream<S>, Frame>,
        heard: &Cell<bool>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut pings = interval(PING_EVERY);
        let mut silent = 0;
        while self.link.get() == link {
            tokio::select! {
                biased;
                () = self.wake.notified() => {}
                _ = pings.tick() => {
                    silent = if heard.replace(false) { 0 } else { silent + 1 };
                    if silent == 3 || sink.feed(Frame::Ping(Bytes::new())).await.is_err() {
                        return;
                    }
                }
            }
            loop {
                let frame = self.queue.borrow_mut().pop_front();
                let Some(frame) = frame else { break };
                self.queued_bytes.set(self.queued_bytes.get() - frame.len());
                if sink.feed(Frame::Binary(frame)).await.is_err() || self.link.get() != link {
                    return;
                }
            }
            if sink.flush().await.is_err() {
                return;
            }
        }
    }
}
