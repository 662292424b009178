//! The README shows what is run: its programs are the files that the tests on official SDKs run,
//! and the options it names are options.

use std::path::Path;

use super::support::Sandbox;

const README: &str = include_str!("../../README.md");

/// The programs that stand in the README, each whole in a block of its own.
const SHOWN: &[&str] = &[
    "python_device.py",
    "python_service.py",
    "python_gateway.py",
    "node_device.js",
    "node_service.js",
    "node_enrolments.js",
    "service_token.py",
    "envsim.sh",
];

fn snippets() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/snippets")
}

/// What stands between the fences, with the language that each names.
fn blocks() -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = README.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let body: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((language.to_owned(), body.join("\n") + "\n"));
        }
    }
    blocks
}

#[test]
fn the_programs_in_the_readme_are_the_files_that_are_run() {
    let blocks = blocks();
    for name in SHOWN {
        let text = std::fs::read_to_string(snippets().join(name)).expect("a program");
        assert!(blocks.iter().any(|(_, block)| *block == text), "{name} is not in the README as it is");
    }
}

#[test]
fn every_file_of_programs_is_shown() {
    let mut files: Vec<_> = std::fs::read_dir(snippets())
        .expect("the folder")
        .map(|file| file.expect("a file").file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    let mut shown = SHOWN.to_vec();
    shown.sort_unstable();
    assert_eq!(files, shown);
}

#[test]
fn every_option_of_the_cloud_that_the_readme_names_is_one() {
    let help = Sandbox::new().run(&["cloud", "--help"]).expect(0).out;
    let lines = blocks().into_iter().filter(|(language, _)| language == "sh").map(|(_, block)| block);
    let text = lines.collect::<String>();
    let cloud = text.lines().filter(|line| line.contains("envsim cloud"));
    let mut seen = 0;
    for line in cloud {
        let options = line.split('#').next().unwrap_or_default().split_whitespace();
        for option in options.filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "`{option}` in `{line}` is no option of envsim cloud");
            seen += 1;
        }
    }
    assert!(seen > 5, "only {seen} options found");
}
