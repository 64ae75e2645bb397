//! Takes a lock, does something for a while, and shows the fencing token. Start it twice:
//! `cargo run -p otterkeeper --example lock -- 127.0.0.1:8080`

use core::time::Duration;

use otterkeeper::client::{Client, ClientError, Options};
use otterkeeper_core::recipe::lock::Told;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ClientError> {
    let server = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let client = Client::connect(Options::new([server])).await?;
    println!("session {} at {}", client.session(), client.server());

    let mut lock = client.lock("/locks/example", "the example").await?;
    println!("ours, with fencing token {}", lock.token());

    // The work, which stops when the lock may be another's.
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(5)) => println!("done"),
        told = lock.told() => match told {
            Some(Told::Doubtful | Told::Lost) | None => println!("stopping: it may be another's by now"),
            Some(other) => println!("{other:?}"),
        },
    }
    lock.release().await?;
    client.close().await;
    Ok(())
}
