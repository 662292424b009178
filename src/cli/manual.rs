//! What others are told of the grammar, made from it: completions for shells, and man pages.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

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
    let Some(folder) = &args.folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page).context("cannot make the page")?;
        return write_out(&page);
    };
    write_all(folder).with_context(|| format!("cannot write man pages to {}", folder.display()))?;
    Ok(Exit::Done)
}

fn write_all(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)
}

/// All at once: a reader that goes away is told like every other error of writing.
fn write_out(text: &[u8]) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    out.write_all(text).and_then(|()| out.flush()).context("cannot write to standard output")?;
    Ok(Exit::Done)
}
