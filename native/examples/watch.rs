//! Makes a znode and prints what happens to it and to the session. Change it from elsewhere meanwhile:
//! `otterkeeper set /example news`, or stop the server and start it again.
//! `cargo run -p otterkeeper --example watch -- 127.0.0.1:8080,127.0.0.1:8081,127.0.0.1:8082`

use otterkeeper::client::{Client, ClientError, Event, Options, Watch};
use otterkeeper_core::request::{CreateMode, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ClientError> {
    let servers = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let client = Client::connect(Options::new(servers.split(','))).await?;
    match client
        .create("/example", "first", CreateMode::Persistent)
        .await
    {
        Ok(_) | Err(ClientError::Refused(Error::NodeExists, _)) => {}
        Err(error) => return Err(error),
    }
    let mut events = client.events();
    show(&client).await?;
    while let Some(event) = events.next().await {
        match event {
            // It fires once, and `show` leaves it again.
            Event::Watch(_) => show(&client).await?,
            Event::Connected { resumed: false, .. } => show(&client).await?,
            other => println!("{other:?}"),
        }
    }
    Ok(())
}

async fn show(client: &Client) -> Result<(), ClientError> {
    let (data, stat) = client.data("/example", Watch::Once).await?;
    let text = String::from_utf8_lossy(&data);
    println!("version {}: {text}", stat.version);
    Ok(())
}
