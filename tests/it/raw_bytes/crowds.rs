//! Many at once who hold what they have: half-open connections, slow senders, slow readers.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::super::raw::{
    Connect, Doors, Secured, Victim, WELCOME, head, service_token, subscribe, until_the_end,
};

const MIB: usize = 1 << 20;
/// Open files that these tests need, in either process.
const FILES: u64 = 4_000;
/// What the cloud may hold after each of these crowds. Of its own it holds some 20 MiB; two hundred
/// who have sent nearly 256 KB each on both ports make a hundred.
const BOUND: usize = 256 * MIB;

/// Whether there are files enough. Where everything has to be tested, too few are a failure.
fn enough_files() -> bool {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let soft = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = soft.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    // Systems without this file are taken at their word.
    let Some(soft) = soft.filter(|soft| *soft < FILES) else { return true };
    let why = format!("skipped: {soft} files may be open, {FILES} are needed: `ulimit -n {FILES}`");
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{why}");
    eprintln!("{why}");
    false
}

/// A connection of `bad`, let in as the device `device`.
fn let_in(victim: &Victim, connect: &[u8]) -> Secured {
    let mut stream = victim.doors.secured(victim.doors.mqtt);
    stream.write_all(connect).expect("sent");
    let mut welcome = [0; 4];
    stream.read_exact(&mut welcome).expect("a welcome");
    assert_eq!(welcome, WELCOME);
    stream
}

#[test]
fn a_thousand_half_open_connections_keep_nobody_out() {
    if !enough_files() {
        return;
    }
    let victim = Victim::new();
    let mut open: Vec<TcpStream> = Vec::new();
    for (count, what) in [(1_000, "a thousand"), (300, "more than have room")] {
        for port in [victim.doors.mqtt, victim.doors.https] {
            open.extend((0..count).map(|_| Doors::bare(port)));
        }
        victim.serves_after(&format!("half-open connections, {what} on each port"));
    }
    // Others with half a hello, who look more like clients.
    for mut socket in &open {
        // Those who had to make room are gone.
        let _ = socket.write_all(b"\x16\x03\x01\x02\x00\x01\x00");
    }
    victim.serves_after("half hellos");
    drop(open);
    victim.serves_after("a thousand resets");
    victim.holds_at_most(BOUND);
}

/// What is sent a byte at a time, and over what.
struct Slow {
    stream: Box<dyn std::io::Write>,
    bytes: Vec<u8>,
}

#[test]
fn slow_senders_keep_nobody_waiting() {
    const EACH: usize = 200;
    const ROUNDS: usize = 4;
    if !enough_files() {
        return;
    }
    let victim = Victim::new();
    let (mqtt, https) = (victim.doors.mqtt, victim.doors.https);
    let connect = Connect::of(&victim.cloud, "bad").packet();
    let token = service_token(&victim.cloud, "serviceConnectionString");
    let request = format!(
        "PUT /devices/slow?api-version=1 HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\n\
         content-length: 250000\r\n\r\n"
    );
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
    let mut slow = Vec::new();
    for number in 0..EACH {
        let port = if number % 2 == 0 { mqtt } else { https };
        let mut add = |stream: Box<dyn std::io::Write>, bytes: Vec<u8>| slow.push(Slow { stream, bytes });
        add(Box::new(Doors::bare(port)), hello.clone());
        add(Box::new(victim.doors.secured(mqtt)), connect.clone());
        add(Box::new(victim.doors.secured(https)), request.clone().into_bytes());
        let mut stream = victim.doors.secured(https);
        stream.write_all(request.as_bytes()).expect("a head");
        add(Box::new(stream), vec![b' '; 100]);
    }
    victim.serves_after("the coming of slow senders");
    for round in 0..ROUNDS {
        let began = Instant::now();
        for Slow { stream, bytes } in &mut slow {
            let _ = stream.write_all(&bytes[round..=round]).and_then(|()| stream.flush());
        }
        victim.serves_after("a byte of each slow sender");
        // Not to wait for anything: it is what makes them slow.
        std::thread::sleep(Duration::from_secs(1).saturating_sub(began.elapsed()));
    }
    victim.holds_at_most(BOUND);
}

#[test]
fn clients_that_stall_before_their_last_byte_cost_no_more_than_they_sent() {
    const EACH: usize = 200;
    const DECLARED: usize = 250_000;
    if !enough_files() {
        return;
    }
    let names: Vec<_> = (0..EACH).map(|number| format!("stalled-{number}")).collect();
    let devices: Vec<_> = names.iter().map(|name| ["--device", name]).collect();
    let victim = Victim::with(&devices.concat());
    let connect = Connect::of(&victim.cloud, "bad");
    let token = service_token(&victim.cloud, "serviceConnectionString");
    let payload = vec![b'x'; DECLARED - 10_000];
    let mut stalled = Vec::new();
    for name in &names {
        let mut stream = let_in(&victim, &Connect::of(&victim.cloud, name).packet());
        stream.write_all(&head(0x32, DECLARED)).expect("sent");
        stream.write_all(&payload).expect("sent");
        stalled.push(stream);
    }
    victim.serves_after("two hundred stalled messages");
    let request = format!(
        "PUT /devices/slow?api-version=1 HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\n\
         content-length: {DECLARED}\r\n\r\n"
    );
    for _ in 0..EACH {
        let mut stream = victim.doors.secured(victim.doors.https);
        stream.write_all(request.as_bytes()).expect("sent");
        stream.write_all(&payload).expect("sent");
        stalled.push(stream);
    }
    victim.serves_after("two hundred stalled requests");
    victim.holds_at_most(BOUND);
    drop(stalled);
    let _ = let_in(&victim, &connect.packet());
    victim.serves_after("all of them left");
    victim.holds_at_most(BOUND);
}

#[test]
fn a_client_that_never_reads_is_ended_and_holds_up_nobody() {
    const CHANGES: usize = 10_000;
    const AT_ONCE: usize = 100;
    let victim = Victim::new();
    let token = service_token(&victim.cloud, "serviceConnectionString");
    let mut reader = let_in(&victim, &Connect::of(&victim.cloud, "bad").packet());
    reader.write_all(&subscribe("$iothub/twin/PATCH/properties/desired/#")).expect("sent");
    reader.read_exact(&mut [0; 5]).expect("SUBACK");

    let mut service = victim.doors.secured(victim.doors.https);
    let padding = "x".repeat(1_500);
    for first in (0..CHANGES).step_by(AT_ONCE) {
        let mut requests = String::new();
        for number in first..first + AT_ONCE {
            let body =
                format!(r#"{{"properties":{{"desired":{{"number":{number},"padding":"{padding}"}}}}}}"#);
            requests.push_str(&format!(
                "PATCH /twins/bad?api-version=1 HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            ));
        }
        service.write_all(requests.as_bytes()).expect("sent");
        answers(&mut service, AT_ONCE);
        if first % 2_000 == 0 {
            victim.serves_after("changes that nobody reads");
        }
    }
    victim.serves_after("ten thousand changes that nobody reads");
    victim.holds_at_most(BOUND);
    // What had been written to it by then is still there, and then the end.
    let told = until_the_end(&mut reader);
    assert!(told.len() < CHANGES * 1_500, "all of it was kept for a client that never reads");
}

/// Reads this many answers, all of them good.
fn answers(service: &mut Secured, count: usize) {
    let (mut all, mut found) = (Vec::new(), 0);
    let mut part = [0; 16 * 1024];
    while found < count {
        let read = service.read(&mut part).expect("answers");
        assert_ne!(read, 0, "the connection ended");
        all.extend_from_slice(&part[..read]);
        found += all.windows(15).filter(|window| window == b"HTTP/1.1 200 OK").count();
        let keep = all.len().min(14);
        all.drain(..all.len() - keep);
    }
}
