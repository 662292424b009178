//! The end of the output: every case with its result, and below it the summary that tools read.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, PipeReader, pipe};

use libtest_mimic::{Arguments, Conclusion, Trial};

use super::suite::{Line, Suite, Verdict};

/// How the summary that tools look for begins.
const SUMMARY: &str = "test result: ";

/// Runs what was chosen, and puts the table between the last result and the summary.
///
/// The harness writes its summary itself as soon as the last case is done. So it is given a pipe to
/// write to instead of standard output, and what comes out of it is passed on at once, the summary
/// excepted.
pub fn run_with_table(mut args: Arguments, trials: Vec<Trial>, suite: &Suite) -> Conclusion {
    let Ok((reader, writer)) = pipe() else { return libtest_mimic::run(&args, trials) };
    #[cfg(unix)]
    let path = Some(format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer)));
    // Windows has no path that opens the pipe; there the table comes below the summary.
    #[cfg(not(unix))]
    let path = None;
    args.logfile = args.logfile.or(path);
    let passing = std::thread::spawn(move || pass_on(reader));
    let conclusion = libtest_mimic::run(&args, trials);
    // The harness has closed its own; with this one the last is gone, and reading comes to its end.
    drop(writer);
    let summary = passing.join().unwrap_or_default();
    print!("{}", text(&suite.lines()));
    print!("{summary}");
    conclusion
}

/// Prints what comes, all but the summary, which is returned.
fn pass_on(reader: PipeReader) -> String {
    let mut summary = String::new();
    for line in BufReader::new(reader).lines().map_while(Result::ok) {
        if line.starts_with(SUMMARY) || !summary.is_empty() {
            summary.push_str(&line);
            summary.push('\n');
        } else {
            println!("{line}");
        }
    }
    summary
}

fn text(lines: &[Line]) -> String {
    let chosen: Vec<_> = lines.iter().filter_map(|line| Some((line, line.result.as_ref()?))).collect();
    let mut text = String::new();
    let width = |of: fn(&Line) -> &str| chosen.iter().map(|(line, _)| of(line).len()).max().unwrap_or(0);
    let (names, sdks) = (width(|line| &line.name), width(|line| &line.sdk));
    let (mut passed, mut failed, mut not_run) = (0, 0, 0);
    for (line, (verdict, took)) in &chosen {
        let (result, why) = match verdict {
            Verdict::Passed => ("passed", ""),
            Verdict::Failed => ("FAILED", ""),
            Verdict::NotRun(why) => ("not run", why.lines().next().unwrap_or_default()),
        };
        match verdict {
            Verdict::Passed => passed += 1,
            Verdict::Failed => failed += 1,
            Verdict::NotRun(_) => not_run += 1,
        }
        let took = took.as_secs_f64();
        let row = format!("{:names$}  {:sdks$}  {result:7} {took:6.1} s  {why}", line.name, line.sdk);
        let _ = writeln!(text, "{}", row.trim_end());
    }
    let not_chosen = lines.len() - chosen.len();
    let _ = writeln!(
        text,
        "{} cases on official SDKs: {passed} passed, {failed} failed, {not_run} not run, {not_chosen} not chosen\n",
        lines.len()
    );
    text
}
