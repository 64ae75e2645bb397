//! A lock as a guard: the lock is held for as long as the guard lives and its session does. Knows how to
//! wait; what a lock is, the core's recipe knows.

use bytes::Bytes;
use otterkeeper_core::id::Index;
use otterkeeper_core::recipe::lock::{Kind, Lock, Told};

use super::{CLOSED, Client, ClientError, Running, unique};

/// A lock that is held.
pub struct LockGuard {
    running: Running<Lock>,
    path: String,
    token: Index,
}

impl LockGuard {
    pub(super) async fn acquire(
        client: &Client,
        path: &str,
        name: &str,
    ) -> Result<Self, ClientError> {
        let name = Bytes::copy_from_slice(name.as_bytes());
        let mut running = client.run(Lock::new(path, Kind::Exclusive, unique(), name));
        running.act(Lock::acquire);
        loop {
            match running.told().await {
                Some(Told::Acquired { token }) => {
                    let path = path.into();
                    return Ok(Self {
                        running,
                        path,
                        token,
                    });
                }
                Some(Told::Failed(error)) => return Err(ClientError::Refused(error, path.into())),
                Some(_) => {}
                None => return Err(CLOSED),
            }
        }
    }

    /// The fencing token: later holders have greater ones. Send it along with everything that is done under
    /// the lock, and let whoever carries it out refuse a token below the greatest it has seen.
    #[must_use]
    pub const fn token(&self) -> u64 {
        self.token.0
    }

    /// What becomes of the lock while it is held: `Doubtful`, `Confirmed`, and once `Lost`. `None` when the
    /// client is done. Nothing is noticed unless this is awaited.
    pub async fn told(&mut self) -> Option<Told> {
        self.running.told().await
    }

    /// Gives the lock back and waits until that is certain.
    ///
    /// # Errors
    /// If the server refuses, or the client is done.
    pub async fn release(mut self) -> Result<(), ClientError> {
        self.running.act(Lock::release);
        if self.running.recipe().is_idle() {
            return Ok(());
        }
        loop {
            match self.running.told().await {
                Some(Told::Released | Told::Lost) => return Ok(()),
                Some(Told::Failed(error)) => {
                    return Err(ClientError::Refused(error, self.path.clone()));
                }
                Some(_) => {}
                None => return Err(CLOSED),
            }
        }
    }
}

/// Sends the request that gives the lock back, if `release` has not; nobody waits for the answer.
impl Drop for LockGuard {
    fn drop(&mut self) {
        self.running.act(Lock::release);
    }
}
