//! What the local cloud costs, side by side with mosquitto where mosquitto can do the same work.
//!
//! `cargo bench --bench cloud` starts the real binary and mosquitto as processes of their own, in
//! turns, and drives both with the same generator over TLS 1.3 with ECDSA P-256 certificates. One
//! round's figures make one ratio; medians of the rounds are printed. Other work on the machine
//! moves rates by factors and processor time by tenths: differences under 15 % say nothing.
//!
//! In reading order: [`server`] (the processes), [`load`] (the fleet of connections), [`trips`]
//! (one request after the other), [`table`].

mod load;
mod server;
mod table;
mod trips;

use std::time::{Duration, Instant};

use clap::Parser;

use self::load::Fleet;
use self::server::Server;
use self::table::Table;

/// Measure the local cloud
#[derive(Debug, Parser)]
#[allow(clippy::struct_excessive_bools)]
struct Options {
    /// Rounds, each of them ours and mosquitto in turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,

    /// One short round, to see that it works
    #[arg(long)]
    quick: bool,

    /// One JSON object instead of the table
    #[arg(long)]
    json: bool,

    /// Ours alone
    #[arg(long)]
    alone: bool,

    /// Identities in the test of a full registry; 0 leaves it out
    #[arg(long, default_value_t = 100_000)]
    registered: u32,

    /// More options for `envsim cloud`, separated by blanks
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    cloud_args: String,

    /// Keep every cloud in a folder of its own, with `--data-dir`
    #[arg(long)]
    kept: bool,

    /// What cargo says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

/// How much of everything one round does.
struct Size {
    span: Duration,
    connections: usize,
    starts: u32,
    trips: u32,
}

/// Connections at which the slope of memory begins.
const FEW: usize = 200;
const FLEETS: [usize; 4] = [1, 10, 100, 1_000];
/// Messages under way on each connection in the test of a backlog.
const BACKLOG: usize = 50;

fn main() {
    let options = Options::parse();
    let most = server::open_files().saturating_sub(100);
    let size = if options.quick {
        Size { span: Duration::from_millis(300), connections: 600, starts: 1, trips: 100 }
    } else {
        Size { span: Duration::from_secs(1), connections: 1_200, starts: 5, trips: 1_000 }
    };
    let size = Size { connections: size.connections.min(most), ..size };
    let rounds = if options.quick { 1 } else { options.rounds };
    let beside = !options.alone && server::mosquitto().is_some();
    if !beside {
        eprintln!("mosquitto is not measured: not installed (Debian package `mosquitto`), or not wanted");
    }
    let mut table = Table::default();
    let began = Instant::now();
    for round in 0..rounds {
        let ours = |identities| Server::cloud(identities, &options.cloud_args, options.kept);
        let theirs = |_| Server::mosquitto();
        let mut turns: Vec<(bool, &dyn Fn(usize) -> Server)> = vec![(true, &ours)];
        if beside {
            turns.push((false, &theirs));
        }
        // Whoever comes second finds a warmer machine.
        if round % 2 == 1 {
            turns.reverse();
        }
        for (own, start) in turns {
            measure(&mut table, own, start, &size);
        }
        alone(&mut table, &options, &size);
        eprintln!("round {} of {rounds} after {:.0} s", round + 1, began.elapsed().as_secs_f64());
    }
    if options.json { println!("{}", table.json()) } else { table.print() }
}

/// What both can do.
fn measure(table: &mut Table, own: bool, start: &dyn Fn(usize) -> Server, size: &Size) {
    let starts = (0..size.starts).map(|_| {
        let began = Instant::now();
        let server = start(1);
        server.handshake();
        began.elapsed().as_secs_f64() * 1_000.0
    });
    table.add("process start to first TLS handshake, ms", own, table::median(starts.collect()), Some(10.0));
    let server = start(1);
    server.handshake();
    table.add(
        "resident memory before anybody connects, MiB",
        own,
        server.resident_kib() / 1_024.0,
        Some(20.0),
    );
    let server = start(size.connections);
    server.handshake();

    let mut fleet = Fleet::new(&server);
    fleet.connect(FEW);
    let few = server.settled_kib();
    let (cpu, began) = (server.cpu(), Instant::now());
    fleet.connect(size.connections - FEW);
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), server.cpu() - cpu);
    let added = table::count(size.connections - FEW);
    table.add("new connections a second", own, added / seconds, None);
    table.aim("server CPU a new connection, ms", own, cpu * 1_000.0 / added, 0.8);
    let slope = (server.settled_kib() - few) / added;
    table.add("memory an idle connection, KiB", own, slope, Some(12.0));
    drop(fleet);

    for connections in FLEETS.into_iter().filter(|count| *count <= size.connections) {
        let what = format!("{connections} connections, 1 under way");
        ingest(table, own, &server, &what, (connections, 1), size);
    }
    ingest(table, own, &server, "100 connections, 50 under way", (100, BACKLOG), size);
}

fn ingest(
    table: &mut Table,
    own: bool,
    server: &Server,
    what: &str,
    (connections, under_way): (usize, usize),
    size: &Size,
) {
    let mut fleet = Fleet::new(server);
    fleet.connect(connections);
    let run = fleet.ingest(under_way, size.span);
    let rate = format!("{what}: messages/s");
    if under_way > 1 {
        table.at_least(&rate, own, run.rate, 6.0);
        table.add(&format!("{what}: server CPU s per 1M"), own, run.cpu_per_million, None);
    } else {
        table.add(&rate, own, run.rate, None);
        table.aim(&format!("{what}: server CPU s per 1M"), own, run.cpu_per_million, 0.85);
    }
}

/// What only a hub can do.
fn alone(table: &mut Table, options: &Options, size: &Size) {
    let server = Server::cloud(size.connections, &options.cloud_args, options.kept);
    for trip in trips::all(&server, size.trips) {
        table.add(&format!("{}: round trips/s", trip.name), true, trip.rate, None);
        table.add(&format!("{}: p50, µs", trip.name), true, trip.p50, None);
        table.add(&format!("{}: p99, µs", trip.name), true, trip.p99, None);
    }
    if options.registered > 0 && !options.quick {
        let count = usize::try_from(options.registered).unwrap_or(usize::MAX);
        let server = Server::cloud(count, &options.cloud_args, options.kept);
        let what = format!("{count} registered, 100 connections, 1 under way");
        ingest(table, true, &server, &what, (100, 1), size);
        table.add(
            &format!("{count} registered: resident memory, MiB"),
            true,
            server.resident_kib() / 1_024.0,
            None,
        );
    }
}
