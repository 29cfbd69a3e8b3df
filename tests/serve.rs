//! `memtide serve` from outside: real scrapes, hostile clients, sockets, tokens, signals, CloudWatch lines.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::programs::{Program, compiler};
use support::prometheus::Prometheus;
use support::require;
use support::server::{Server, say, value};

fn serve(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_memtide")).arg("serve").args(args).output().unwrap()
}

fn meminfo(name: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0
}

#[test]
fn promtool_finds_nothing_to_say_about_the_metrics() {
    if !require::has_programs(&["promtool"]) {
        return;
    }
    for args in [&[][..], &["--group", "command"], &["--fields", "pss,size,peak_rss,oom_score,age,verdict"]] {
        let server = Server::start(args);
        let answer = server.metrics("");
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
        let mut promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        promtool.stdin.take().unwrap().write_all(answer.body.as_bytes()).unwrap();
        let output = promtool.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success() && said.is_empty(), "{}\n{}", String::from_utf8_lossy(&said), answer.body);
    }
}

#[test]
fn numbers_are_those_of_the_kernel() {
    if !require::has_programs(&[&compiler()]) {
        return;
    }
    let holder = Program::holder("serve-holder", 64 << 10);
    let opener = Program::opener("serve-opener", 100);
    let filter = format!("pid={} or pid={}", holder.pid(), opener.pid());
    let server = Server::start(&["--top", "1000", "--filter", &filter]);
    let of = |text: &str, metric: &str, program: &Program| value(text, &format!("{metric}{{pid=\"{}\"", program.pid()));
    // What is read in turn is not in the first sample.
    let text = server.metrics_once(|text| {
        [&holder, &opener].into_iter().all(|program| of(text, "memtide_process_fds", program).is_some())
    });
    let of = |metric: &str, program: &Program| of(&text, metric, program).unwrap();
    assert_eq!(value(&text, "memtide_mem_total_bytes"), Some(meminfo("MemTotal")));
    let rss = of("memtide_process_rss_bytes", &holder) / f64::from(1 << 20);
    assert!((64.0..67.0).contains(&rss), "{rss}");
    assert!((103.0..110.0).contains(&of("memtide_process_fds", &opener)), "{text}");
    assert_eq!(value(&text, "memtide_leaks"), Some(0.0));
    assert_eq!(value(&text, "memtide_memory_full_seconds"), Some(f64::INFINITY));
    let parts = text.lines().filter(|line| line.starts_with("memtide_ram_bytes{"));
    let sum: f64 = parts.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum();
    assert!(sum >= meminfo("MemTotal"), "{sum}");
    let others = text.lines().filter(|line| line.starts_with("memtide_process_rss_bytes{"));
    assert_eq!(others.count(), 2, "the filter leaves out all others");
}

#[test]
fn openmetrics_is_given_to_who_prefers_it() {
    let server = Server::start(&["--top", "3"]);
    let answer = server.metrics("Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n");
    assert!(answer.head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{}", answer.head);
    assert!(answer.body.ends_with("\n# EOF\n"));
    assert!(answer.body.contains("# TYPE memtide_oom_kills counter\n"), "{}", answer.body);
    let processes = answer.body.lines().filter(|line| line.starts_with("memtide_process_rss_bytes{")).count();
    assert!((1..=3).contains(&processes), "{processes}");
}

#[test]
fn bad_requests_are_answered_and_do_no_harm() {
    let server = Server::start(&[]);
    server.metrics("");
    let host = server.socket();
    let long = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let path = format!("GET /{} HTTP/1.1\r\nHost: {host}\r\n\r\n", "x".repeat(100_000));
    for (request, statuses) in [
        (format!("POST /metrics HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99999999999\r\n\r\n"), &[405][..]),
        (format!("GET /../../etc/passwd HTTP/1.1\r\nHost: {host}\r\n\r\n"), &[404]),
        ("\0\u{1}\u{2}nonsense\r\n\r\n".to_owned(), &[400]),
        ("GET /metrics HTTP/9.9\r\n\r\n".to_owned(), &[400, 505]),
        ("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), &[421]),
        // Too long to be read to its end: the connection may break before the refusal is read.
        (long, &[431, 400, 0]),
        (path, &[414, 431, 400, 0]),
    ] {
        let answer = say(server.connect(), request.as_bytes());
        assert!(statuses.contains(&answer.status), "{:.60}: {} {}", request, answer.status, answer.body);
    }
    let head = say(server.connect(), format!("HEAD /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(server.get("/metrics", "").status, 200);
}

#[test]
fn many_silent_clients_hold_up_a_scrape_for_seconds_only_and_cost_a_bounded_number_of_files() {
    let server = Server::start(&[]);
    server.metrics("");
    let mut silent: Vec<_> = (0..80).map(|_| server.connect()).collect();
    for stream in silent.iter_mut().step_by(2) {
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHo").unwrap();
    }
    // It stands in the kernel's queue behind all of them.
    let answer = server.get("/metrics", "");
    assert_eq!(answer.status, 200);
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let sockets = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let sockets = sockets.filter(|target| target.to_string_lossy().starts_with("socket:")).count();
    assert!(sockets <= memtide::serve::MOST_CONNECTIONS as usize + 4, "{sockets}");
    // Each has been let go, half a request or none.
    for stream in &mut silent {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&rest));
    }
}

#[test]
fn a_token_is_asked_for_and_its_file_must_be_its_owners() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "correct-horse-battery\n").unwrap();
    let path = file.to_str().unwrap();
    let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let refused = serve(&["--listen", "127.0.0.1:0", "--token-file", path]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("chmod 600"), "{refused:?}");
    mode(0o600);
    let server = Server::start(&["--token-file", path]);
    for wrong in ["", "Authorization: Bearer correct-horse-batterx\r\n", "Authorization: Basic x\r\n"] {
        let answer = server.get("/metrics", wrong);
        assert_eq!(answer.status, 401, "{wrong}");
        assert!(
            answer.head.contains("www-authenticate: bearer") && !answer.body.contains("memtide_"),
            "{}",
            answer.head
        );
    }
    let right = "Authorization: Bearer correct-horse-battery\r\n";
    assert_eq!(server.metrics(right).status, 200);
    // A reverse proxy passes the name on by which it was asked.
    let proxied = format!("GET /metrics HTTP/1.1\r\nHost: web-1.example\r\n{right}\r\n");
    assert_eq!(say(server.connect(), proxied.as_bytes()).status, 200);
}

#[test]
fn other_machines_are_let_in_only_where_that_is_said() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:9982"] {
        let output = serve(&["--listen", address]);
        assert_eq!(output.status.code(), Some(2), "{address}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("--allow-remote"), "{output:?}");
    }
    let output = serve(&["--fields", "pss,command"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

fn ask_socket(path: &Path) -> support::server::Answer {
    let stream = UnixStream::connect(path).unwrap();
    say(stream, b"GET /metrics HTTP/1.1\r\nHost: whoever\r\n\r\n")
}

#[test]
fn a_unix_socket_is_its_owners_and_is_gone_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("memtide.sock");
    let address = format!("unix:{}", path.display());
    let mut server = Server::listen(&address, &[]);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o660, "{mode:o}");
    let since = Instant::now();
    while ask_socket(&path).status == 503 {
        assert!(since.elapsed() < Duration::from_mins(1));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(ask_socket(&path).body.contains("memtide_mem_total_bytes "));
    let second = serve(&["--listen", &address]);
    assert_eq!(second.status.code(), Some(1), "it is in use: {second:?}");
    assert_eq!(ask_socket(&path).status, 200, "the first one is unharmed");
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(!path.exists());

    // One that was killed leaves its socket behind, which the next one replaces; a file it leaves alone.
    let mut killed = Server::listen(&address, &[]);
    killed.signal(Signal::KILL);
    killed.wait();
    assert!(std::fs::metadata(&path).unwrap().file_type().is_socket());
    drop(Server::listen(&address, &[]));
    let file = folder.path().join("precious");
    std::fs::write(&file, "data").unwrap();
    assert_eq!(serve(&["--listen", &format!("unix:{}", file.display())]).status.code(), Some(1));
    assert_eq!(std::fs::read(&file).unwrap(), b"data");
}

#[test]
fn every_signal_that_asks_for_the_end_is_a_clean_end() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut server = Server::start(&[]);
        let _silent = server.connect();
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0), "{signal:?}");
    }
}

#[test]
fn emf_lines_come_at_once_and_again_and_are_the_agents_numbers() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_memtide"))
        .args(["serve", "--emf", "--every", "1s", "--interval", "1s", "--dimension", "InstanceId=i-0123"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<serde_json::Value>(&lines.next().unwrap().unwrap()).unwrap();
    let (first, second) = (next(), next());
    let used = || {
        let parts = ["MemFree", "Buffers", "Cached", "SReclaimable"];
        meminfo("MemTotal") - parts.into_iter().map(meminfo).sum::<f64>()
    };
    let now = used() / meminfo("MemTotal") * 100.0;
    let said = second["mem_used_percent"].as_f64().unwrap();
    assert!((said - now).abs() < 5.0, "{said} and {now}");
    assert_eq!(second["mem_total"].as_f64(), Some(meminfo("MemTotal")));
    assert_eq!(first["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0], serde_json::json!(["host", "InstanceId"]));
    assert_eq!(first["InstanceId"], "i-0123");
    assert!(second["_aws"]["Timestamp"].as_i64() > first["_aws"]["Timestamp"].as_i64());
    assert!(second["top"].as_array().unwrap().len() > 1, "{second:#}");
    // Whoever reads it has seen enough: that is no failure.
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn prometheus_scrapes_it_and_its_alerts_fire_for_a_program_that_leaks() {
    if !require::has_programs(&["prometheus", &compiler()]) {
        return;
    }
    // Eight files a second of 1200: near the limit after two minutes, a leak soon after that.
    let leaker = Program::limited_file_leaker("serve-leaker", 8, 1000, 1200);
    let server = Server::start(&["--top", "10"]);
    let prometheus = Prometheus::scraping(server.socket());
    let since = Instant::now();
    let name = format!("child[{}]", leaker.pid());
    let pid = leaker.pid().to_string();
    let mut wanted = vec!["MemtideLeak", "MemtideLimitSoon", "MemtideFdLimitNear"];
    while !wanted.is_empty() {
        let alerts = prometheus.ask("/api/v1/alerts");
        for alert in alerts["data"]["alerts"].as_array().unwrap() {
            let labels = &alert["labels"];
            let is_ours = labels["name"] == name.as_str() || labels["pid"] == pid.as_str();
            if is_ours && alert["state"] == "firing" {
                wanted.retain(|wanted| labels["alertname"] != *wanted);
            }
        }
        assert!(since.elapsed() < Duration::from_mins(5), "{wanted:?}: {alerts:#}");
        std::thread::sleep(Duration::from_millis(500));
    }
    // What Prometheus has stored is what the kernel says.
    let up = prometheus.ask("/api/v1/query?query=up");
    assert_eq!(up["data"]["result"][0]["value"][1], "1", "{up:#}");
    let query = format!("/api/v1/query?query=memtide_process_fds%7Bpid=%22{pid}%22%7D");
    let stored = prometheus.ask(&query);
    let fds: f64 = stored["data"]["result"][0]["value"][1].as_str().unwrap().parse().unwrap();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as f64;
    assert!((open - fds).abs() <= 60.0 && fds > 900.0, "{fds} and {open}");
    // No sample was refused: no name is there twice.
    let own = prometheus.get("/metrics").unwrap().body;
    assert_eq!(value(&own, "prometheus_target_scrapes_sample_duplicate_timestamp_total"), Some(0.0));
}
