//! `byway fsck`: checks a volume that nobody uses, and mends it. The exit codes are those of
//! fsck(8): 0 clean, 1 mended, 4 left as it is, 8 nothing could be told, 16 wrong usage.

use std::io::IsTerminal;

use byway_fs::fsck::{FsckOptions, Progress, Report, fsck as check};
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::args::FsckArgs;
use super::on;
use crate::cli::failure::Failure;
use crate::cli::{output, text};

/// The exit code where nothing could be told.
const OPERATIONAL: u8 = 8;
/// The exit code of wrong usage.
pub(crate) const USAGE: u8 = 16;

pub(crate) fn fsck(args: &FsckArgs) -> Result<(), Failure> {
    let report = look(args).map_err(|failure| {
        let code = if failure.is_usage() { USAGE } else { OPERATIONAL };
        failure.with_code(code)
    })?;
    if args.json {
        text::print_json(&report)?;
    } else {
        output::print(&page(&args.uri, &report))?;
    }
    match report.exit_code() {
        0 => Ok(()),
        1 => Err(Failure::silent(1)),
        code => {
            let found = report.findings.len() as u64 + report.more;
            let line = format!("{}: {found} findings; mend them with byway fsck -y", args.uri);
            Err(Failure::failed(line).with_code(code))
        }
    }
}

fn look(args: &FsckArgs) -> Result<Report, Failure> {
    let options = FsckOptions { repair: args.repair };
    on::device(&args.uri, !args.repair, |core, device| async move {
        on::unused(&core, &device).await?;
        let line = Line::new();
        let report = check(&core, &*device, options, |at| line.show(at)).await;
        line.bar.finish_and_clear();
        report.map_err(|error| on::named(&device, error))
    })
}

/// What is being done, on a terminal.
struct Line {
    bar: ProgressBar,
}

impl Line {
    fn new() -> Line {
        let target = match std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        Line { bar: ProgressBar::with_draw_target(None, target) }
    }

    fn show(&self, at: Progress) {
        self.bar.set_message(format!("pass {}: {}", at.pass, at.stage));
        self.bar.tick();
    }
}

fn page(uri: &str, report: &Report) -> String {
    let mut page = String::new();
    for finding in &report.findings {
        let code = text::word_of(&finding.code);
        page.push_str(&format!("{code}: {}\n", finding.text));
    }
    if report.more > 0 {
        page.push_str(&format!("and {} more\n", report.more));
    }
    if report.replayed > 0 {
        page.push_str(&format!("{} commits of journals are not in place yet\n", report.replayed));
    }
    let verdict = match (report.is_clean(), report.repaired) {
        (true, _) => "clean",
        (false, true) => "mended",
        (false, false) => "damaged",
    };
    page.push_str(&format!(
        "{uri}: {verdict}; {} inodes, {} names, {} blocks in use\n",
        report.inodes, report.names, report.blocks
    ));
    page
}
