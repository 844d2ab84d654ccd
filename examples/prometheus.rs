//! The numbers of a bus under load, served to Prometheus, and checked by reading them there.
//!
//! ```sh
//! cargo run --release --features metrics --example prometheus
//! cargo run --release --features metrics --example prometheus -- --serve 127.0.0.1:9000
//! ```
//!
//! Sensors emit, a slow panel drops, a filter and handlers do their part. Then the program asks its own page for the
//! numbers by HTTP, as Prometheus would, holds them against the bus's own, prints some, and ends; with
//! `--serve` it goes on emitting and serving until it is stopped.
#![allow(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use chanbus::{Bus, BusMetrics, Dispatcher, Handlers, Overflow};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

type Outcome<R> = Result<R, Box<dyn Error>>;

const SENSORS: u32 = 4;
const EVENTS: u32 = 50_000;
/// How long a client may take with its request.
const PATIENCE: Duration = Duration::from_secs(5);
/// A request's head has no more lines than this, and no more bytes.
const HEAD: u64 = 16 * 1_024;

fn main() -> Outcome<()> {
    let address = address()?;
    let bus = Bus::<u32>::builder().name("sensors").build()?;
    let handlers = Handlers::new();
    handlers.on("sensor.*").name("store").call(|event| {
        std::hint::black_box(event.payload());
    })?;
    handlers
        .on("sensor.0")
        .name("fails")
        .handle(|event, _| match event.payload() % 1_000 {
            0 => Err("the sensor is out of order".into()),
            _ => Ok(chanbus::Flow::Continue),
        })?;
    let dispatcher = Dispatcher::builder(&bus, &handlers)
        .name("store")
        .capacity(1_000)
        .build()?;
    dispatcher.start()?;

    // What serves the page, and who fills it: read before each scrape, and no emit pays for it.
    let recorder = PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    let metrics = BusMetrics::builder()
        .bus(&bus)
        .handlers("store", &handlers)
        .dispatcher(&dispatcher)
        .recorder(Arc::new(recorder))
        .build();
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:0"))?;
    let place = listener.local_addr()?;
    // It serves as long as the program runs.
    thread::Builder::new()
        .name("page".into())
        .spawn(move || serve(&listener, &page, &metrics))?;

    let subscription = |name: &'static str| bus.subscription("sensor.*").name(name);
    let panel = subscription("panel").capacity(100).subscribe()?;
    let latest = subscription("latest")
        .overflow(Overflow::Latest)
        .subscribe()?;
    let alarms = subscription("alarms")
        .filter(|event| event.payload() % 100 == 99)
        .subscribe()?;
    // A panel that draws slowly, and one that draws what is there.
    let slow = move || {
        for drawn in 0.. {
            if panel.recv().is_err() {
                return;
            }
            if drawn % 100 == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        }
    };
    let drawing = thread::spawn(slow);
    let watching = thread::spawn(move || latest.iter().count());
    let alarming = thread::spawn(move || alarms.iter().count());

    emit_some(&bus, EVENTS);
    println!("the page is at http://{place}/metrics");
    if address.is_some() {
        println!("sensors go on until this is stopped (Ctrl-C)");
        loop {
            emit_some(&bus, 1_000);
            thread::sleep(Duration::from_millis(200));
        }
    }

    // Quiet, so that what is on the page can be held against what is known.
    let stats = loop {
        let (stats, dispatched) = (bus.stats(), dispatcher.stats());
        let all = u64::from(SENSORS * EVENTS) * stats.subscribers as u64;
        if stats.matched() == all && stats.depth + dispatched.in_flight == 0 {
            break stats;
        }
        thread::sleep(Duration::from_millis(1));
    };
    let text = fetch(&place.to_string())?;
    check(&text, "chanbus_emitted_total", u64::from(SENSORS * EVENTS));
    check(&text, "chanbus_delivered_total", stats.received);
    check(&text, "chanbus_dropped_total", stats.dropped);
    check(&text, "chanbus_filtered_total", stats.filtered);
    check(&text, "chanbus_conflated_total", stats.conflated);
    check(
        &text,
        "chanbus_dispatched_total",
        dispatcher.stats().handled,
    );
    check(
        &text,
        "chanbus_handler_failures_total",
        handlers.stats().failed,
    );
    check(&text, "chanbus_subscribers", 4);
    assert!(stats.dropped > 0, "the panel is too slow for this load");
    for line in text.lines().filter(|line| is_of_interest(line)) {
        println!("{line}");
    }

    // When subscriptions and bus have gone, what they counted is still there.
    bus.close();
    drawing.join().map_err(|_| "the panel panicked")?;
    let drawn = watching.join().map_err(|_| "the watcher panicked")?;
    let alarms = alarming.join().map_err(|_| "the alarms panicked")?;
    let text = fetch(&place.to_string())?;
    check(&text, "chanbus_delivered_total", stats.received);
    check(&text, "chanbus_dropped_total", stats.dropped);
    check(&text, "chanbus_subscribers", 0);
    println!("{drawn} of the latest were drawn, {alarms} alarms raised; all sums are on the page");
    Ok(())
}

/// The address after `--serve`.
fn address() -> Outcome<Option<String>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Ok(None),
        (Some("--serve"), Some(address)) => Ok(Some(address)),
        _ => Err("usage: prometheus [--serve ADDRESS:PORT]".into()),
    }
}

/// Each sensor emits so many, on a thread of its own.
fn emit_some(bus: &Bus<u32>, events: u32) {
    thread::scope(|scope| {
        for sensor in 0..SENSORS {
            scope.spawn(move || {
                let Ok(publisher) = bus.publisher(format!("sensor.{sensor}")) else {
                    return;
                };
                for n in 0..events {
                    // An error says that the bus is closed.
                    if publisher.emit(n).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

/// Answers one request after the other: enough for Prometheus, which asks every few seconds.
fn serve(listener: &TcpListener, page: &PrometheusHandle, metrics: &BusMetrics) {
    for client in listener.incoming().flatten() {
        // A client that is gone, or talks nonsense, is its own loss.
        let _ = answer(client, page, metrics);
    }
}

fn answer(mut client: TcpStream, page: &PrometheusHandle, metrics: &BusMetrics) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    let mut head = BufReader::new(client.try_clone()?.take(HEAD)).lines();
    let request = head.next().transpose()?.unwrap_or_default();
    // The rest of the head, up to its empty line.
    for line in head {
        if line?.is_empty() {
            break;
        }
    }
    let (status, body) = match request.split(' ').collect::<Vec<_>>()[..] {
        ["GET", "/metrics", _] => {
            metrics.update();
            ("200 OK", page.render())
        }
        _ => ("404 Not Found", "see /metrics\n".to_owned()),
    };
    write!(
        client,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    client.flush()?;
    client.shutdown(Shutdown::Write)
}

/// Reads the page, as Prometheus does.
fn fetch(place: &str) -> Outcome<String> {
    let mut server = TcpStream::connect(place)?;
    server.set_read_timeout(Some(PATIENCE))?;
    write!(
        server,
        "GET /metrics HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    server.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    match head.starts_with("HTTP/1.1 200 ") {
        true => Ok(body.to_owned()),
        false => Err(format!("the page says: {head}").into()),
    }
}

/// The sum over all series of a metric, whatever their labels, is that number.
fn check(page: &str, metric: &str, wanted: u64) {
    let of_it = |line: &&str| {
        line.strip_prefix(metric)
            .is_some_and(|rest| rest.starts_with('{'))
    };
    let value = |line: &str| {
        line.rsplit(' ')
            .next()
            .and_then(|text| text.parse::<f64>().ok())
    };
    let values: Vec<f64> = page.lines().filter(of_it).filter_map(value).collect();
    assert!(!values.is_empty(), "{metric} is not on the page:\n{page}");
    let sum: f64 = values.iter().sum();
    assert!(
        (sum - wanted as f64).abs() < 0.5,
        "{metric} is {sum}, and should be {wanted}:\n{page}"
    );
}

fn is_of_interest(line: &str) -> bool {
    [
        "emitted",
        "delivered",
        "dropped",
        "depth",
        "dispatch_seconds",
    ]
    .iter()
    .any(|name| line.contains(&format!("chanbus_{name}")))
}
