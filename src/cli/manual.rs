//! What others are told of the grammar, made from it: completions for shells, and man pages.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::args::Cli;
use super::exit::Exit;
use super::suggest;

const COMPLETIONS: &str = "Where they go, for example:
  bash        envsim completions bash > ~/.local/share/bash-completion/completions/envsim
  zsh         envsim completions zsh > \"${fpath[1]}/_envsim\"
  fish        envsim completions fish > ~/.config/fish/completions/envsim.fish
  powershell  envsim completions powershell >> $PROFILE
  elvish      envsim completions elvish >> ~/.config/elvish/rc.elv";

const MAN: &str = "Examples:
  envsim man | man -l -                      read the first page
  envsim man ~/.local/share/man/man1         all pages, then `man envsim-hub-invoke`";

/// The options of `envsim completions`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = COMPLETIONS)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// The options of `envsim man`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = MAN)]
pub struct ManArgs {
    /// Write all pages to this folder; only the first to standard output if not given
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// Writes completions.
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut suggest::for_shells(Cli::command()), "envsim", &mut text);
    write_out(&text)
}

/// Writes man pages.
pub fn man(args: &ManArgs) -> anyhow::Result<Exit> {
    let mut command = Cli::command();
    command.build();
    let Some(folder) = &args.folder else {
        return write_out(&page(&command).context("cannot make the page")?);
    };
    std::fs::create_dir_all(folder)
        .and_then(|()| write_all(&command, folder))
        .with_context(|| format!("cannot write man pages to {}", folder.display()))?;
    Ok(Exit::Done)
}

/// The page of a command, and those of all below it.
fn write_all(command: &Command, folder: &Path) -> io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write_all(below, folder)?;
    }
    std::fs::write(folder.join(Man::new(command.clone()).get_filename()), page(command)?)
}

/// A page. What stands below the help has sections of its own: in the one that the library makes
/// of it every command and table would be filled into a paragraph.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone().after_help(None::<&str>)).render(&mut page)?;
    let below = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    sections(&below).to_writer(&mut page)?;
    Ok(page)
}

/// What stands below a help, as sections: notes, and what has a heading that man pages know.
fn sections(below: &str) -> Roff {
    let (mut notes, mut known) = (Vec::new(), Vec::new());
    for paragraph in below.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        let (first, rest) = paragraph.split_once('\n').unwrap_or((paragraph, ""));
        match first {
            "Example:" | "Examples:" => known.push(("EXAMPLES", rest)),
            "Exit codes:" => known.push(("EXIT STATUS", rest)),
            _ => notes.push(paragraph),
        }
    }
    let mut roff = Roff::new();
    if !notes.is_empty() {
        roff.control("SH", ["NOTES"]);
    }
    for note in notes {
        roff.control("PP", []);
        // What is laid out in columns stays so; the rest is prose.
        if note.contains("\n  ") { as_it_is(&mut roff, note) } else { lines(&mut roff, note) }
    }
    for (heading, text) in known {
        roff.control("SH", [heading]);
        as_it_is(&mut roff, text);
    }
    roff
}

fn as_it_is(roff: &mut Roff, text: &str) {
    roff.control("nf", []);
    lines(roff, text);
    roff.control("fi", []);
}

fn lines(roff: &mut Roff, text: &str) {
    for line in text.lines() {
        roff.text([roman(line)]);
    }
}

/// All at once: a reader that goes away is told like every other error of writing.
fn write_out(text: &[u8]) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    out.write_all(text).and_then(|()| out.flush()).context("cannot write to standard output")?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_below_a_help_has_headings_and_keeps_its_lines() {
        let below = "Examples:\n  envsim run --for 5s\n\nSome words\nof prose.\n\nMembers:\n  a  one\n\nExit codes:\n  0  done";
        let page = sections(below).render();
        let wanted = ".SH NOTES
.PP
Some words
of prose.
.PP
.nf
Members:
  a  one
.fi
.SH EXAMPLES
.nf
  envsim run \\-\\-for 5s
.fi
.SH \"EXIT STATUS\"
.nf
  0  done
.fi
";
        assert!(page.ends_with(wanted), "{page}");
        assert!(!sections("").render().contains(".SH"));
    }
}
