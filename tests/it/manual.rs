//! What shells and readers are told of the grammar.

use super::support::Sandbox;

#[test]
fn shells_and_readers_are_told_the_grammar() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = sandbox.run(&["completions", shell]).expect(0).out;
        assert!(text.contains("monitor"), "{shell}");
    }
    sandbox.run(&["completions", "tcsh"]).expect(2);
    assert!(sandbox.run(&["man"]).expect(0).out.contains(".TH envsim 1"));
    let folder = sandbox.folder().join("man/man1");
    sandbox.run(&["man", &folder.display().to_string()]).expect(0);
    for page in ["envsim.1", "envsim-cloud.1", "envsim-hub-twin-watch.1"] {
        let text = std::fs::read_to_string(folder.join(page)).expect(page);
        assert!(text.contains(".SH NAME"), "{page}");
    }
    let file = sandbox.write("file", "").display().to_string();
    let refused = sandbox.run(&["man", &file]).expect(1);
    assert!(refused.err.contains("cannot write man pages"), "{}", refused.all());
}
