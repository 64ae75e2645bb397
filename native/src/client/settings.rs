//! Configurations and services for programs: the core's recipes, with something to await. Knows how to wait; what a
//! configuration and a directory are, the core's recipes know.

use bytes::Bytes;
use otterkeeper_core::recipe::group::{Member, Membership};
use otterkeeper_core::recipe::service::{Directory, Seen};
use otterkeeper_core::recipe::settings::{Reader, Settings, Shown, Update, Writer, Written};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{CLOSED, Client, ClientError, Running, unique};

/// A configuration, kept up to date.
pub struct SettingsReader {
    running: Running<Reader>,
    path: String,
}

impl SettingsReader {
    pub(super) fn new(client: &Client, path: &str) -> Self {
        let mut running = client.run(Reader::new(path));
        running.act(Reader::read);
        let path = path.into();
        Self { running, path }
    }

    /// The whole configuration as it was at one moment: at once the first time, and then whenever it has changed,
    /// also while the connection was lost. Several updates may be told as one.
    ///
    /// # Errors
    /// If the server refuses, or the client is done.
    pub async fn next(&mut self) -> Result<Settings, ClientError> {
        match self.running.told().await {
            Some(Shown::Now(settings)) => Ok(settings),
            Some(Shown::Failed(error)) => Err(ClientError::Refused(error, self.path.clone())),
            None => Err(CLOSED),
        }
    }
}

pub(super) async fn update(
    client: &Client,
    path: &str,
    update: Update,
) -> Result<Written, ClientError> {
    let mut running = client.run(Writer::new(path, unique()));
    running.act(|writer, out| writer.update(update, out));
    match running.told().await {
        Some(Written::Failed(error)) => Err(ClientError::Refused(error, path.into())),
        Some(written) => Ok(written),
        None => Err(CLOSED),
    }
}

/// A place in a service's directory. When its session ends, it is taken again in the next one. It goes when this
/// is dropped, at the latest with the session.
pub struct Registration {
    /// Dropped or used, it ends the task.
    leave: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ClientError>>,
}

impl Registration {
    pub(super) async fn new(
        client: &Client,
        path: &str,
        address: &str,
    ) -> Result<Self, ClientError> {
        let address = Bytes::copy_from_slice(address.as_bytes());
        let mut member = client.run(Member::new(path, unique(), address));
        member.act(Member::join);
        let path = path.to_owned();
        loop {
            match member.told().await {
                Some(Membership::Joined { .. }) => break,
                Some(Membership::Failed(error)) => return Err(ClientError::Refused(error, path)),
                Some(_) => {}
                None => return Err(CLOSED),
            }
        }
        let (leave, left) = oneshot::channel();
        let task = tokio::spawn(serve(member, path, left));
        Ok(Self { leave, task })
    }

    /// Leaves the directory and waits until that is certain.
    ///
    /// # Errors
    /// If the server refuses or has refused to let it in again, or the client is done.
    pub async fn withdraw(self) -> Result<(), ClientError> {
        // A task that is done says why.
        let _ = self.leave.send(());
        self.task.await.unwrap_or(Err(CLOSED))
    }
}

/// Keeps the place until nobody wants it any more.
async fn serve(
    mut member: Running<Member>,
    path: String,
    mut left: oneshot::Receiver<()>,
) -> Result<(), ClientError> {
    let mut is_wanted = true;
    loop {
        tokio::select! {
            told = member.told() => match told {
                Some(Membership::Left) => return Ok(()),
                Some(Membership::Failed(error)) => return Err(ClientError::Refused(error, path)),
                Some(_) => {}
                None => return Err(CLOSED),
            },
            _ = &mut left, if is_wanted => {
                is_wanted = false;
                member.act(Member::leave);
            }
        }
    }
}

/// Who serves, kept up to date.
pub struct ServiceWatch {
    running: Running<Directory>,
    path: String,
}

impl ServiceWatch {
    pub(super) fn new(client: &Client, path: &str) -> Self {
        let mut running = client.run(Directory::new(path));
        running.act(Directory::look);
        let path = path.into();
        Self { running, path }
    }

    /// All who serve, the first time; then who comes, goes, or has another address.
    ///
    /// # Errors
    /// If the server refuses, or the client is done.
    pub async fn next(&mut self) -> Result<Seen, ClientError> {
        match self.running.told().await {
            Some(Seen::Failed(error)) => Err(ClientError::Refused(error, self.path.clone())),
            Some(seen) => Ok(seen),
            None => Err(CLOSED),
        }
    }

    /// The addresses of all who serve, as far as it knows, in no order.
    pub fn addresses(&self) -> impl Iterator<Item = &Bytes> {
        self.running.recipe().present().map(|seat| &seat.data)
    }
}
