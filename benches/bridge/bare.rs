//! `async-nats` by hand, as a program of threads would use it.

use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use async_nats::{Client, ConnectOptions, HeaderMap};
use crossbeam_channel::{Receiver, Sender, unbounded};
use futures_lite::StreamExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::server::Server;
use super::{HANG, Order, Way};

pub(super) struct Bare {
    headers: bool,
    // Its end ends the publishing thread.
    publish: UnboundedSender<Vec<u8>>,
    orders: Receiver<Order>,
}

impl Bare {
    pub(super) fn new(server: &Server, prefix: &str, headers: bool) -> Self {
        let subject = format!("{prefix}.order.placed");
        let (publish, published) = unbounded_channel();
        let (sender, orders) = unbounded();
        let (ready, is_ready) = unbounded();
        let (url, wanted, told) = (server.url(), format!("{prefix}.order.*"), ready.clone());
        thread::spawn(move || on_runtime(read(url, wanted, headers, sender, told)));
        let url = server.url();
        thread::spawn(move || on_runtime(write(url, subject, headers, published, ready)));
        for _ in 0..2 {
            is_ready.recv_timeout(HANG).unwrap();
        }
        Bare {
            headers,
            publish,
            orders,
        }
    }
}

impl Way for Bare {
    fn name(&self) -> &'static str {
        if self.headers {
            "by hand, with headers"
        } else {
            "by hand"
        }
    }

    fn send(&self, order: Order) {
        let bytes = serde_json::to_vec(&order).unwrap();
        self.publish.send(bytes).unwrap();
    }

    fn next(&self) -> Order {
        self.orders.recv_timeout(HANG).unwrap()
    }
}

fn on_runtime(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work);
}

/// Room for what a bridge has room for.
async fn connect(url: String) -> Client {
    let options = ConnectOptions::new().subscription_capacity(131_072);
    options.connect(url).await.unwrap()
}

async fn write(
    url: String,
    subject: String,
    headers: bool,
    mut published: UnboundedReceiver<Vec<u8>>,
    ready: Sender<()>,
) {
    let client = connect(url).await;
    ready.send(()).unwrap();
    let mut number = 0_u64;
    while let Some(bytes) = published.recv().await {
        let subject = subject.clone();
        if headers {
            number += 1;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let mut headers = HeaderMap::new();
            headers.insert(
                "X-Time",
                format!("{}.{:09}", now.as_secs(), now.subsec_nanos()),
            );
            headers.insert(
                "X-Sender",
                format!("near/0123456789abcdef01234567 {number} n.**"),
            );
            let sent = client.publish_with_headers(subject, headers, bytes.into());
            sent.await.unwrap();
        } else {
            client.publish(subject, bytes.into()).await.unwrap();
        }
    }
}

async fn read(
    url: String,
    wanted: String,
    headers: bool,
    orders: Sender<Order>,
    ready: Sender<()>,
) {
    let client = connect(url).await;
    let mut messages = client.subscribe(wanted).await.unwrap();
    client.flush().await.unwrap();
    // The server has it when it answers what came after it.
    let _ = client.request("nobody.there", "".into()).await;
    ready.send(()).unwrap();
    while let Some(message) = messages.next().await {
        if headers {
            let headers = message.headers.as_ref().unwrap();
            let text = |name: &str| headers.get(name).unwrap().as_str();
            let _: f64 = text("X-Time").parse().unwrap();
            let number = text("X-Sender").split(' ').nth(1).unwrap();
            let _: u64 = number.parse().unwrap();
        }
        let order = serde_json::from_slice(&message.payload).unwrap();
        if orders.send(order).is_err() {
            return;
        }
    }
}
