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
        assert!(text.contains(".SH EXAMPLES\n.nf\n") && !text.contains("EXTRA"), "{page}");
    }
    let hub = std::fs::read_to_string(folder.join("envsim-hub.1")).expect("a page");
    let example =
        r"  envsim hub invoke env\-sensor\-01 rundiagnostics \-\-wait\-for rundiagnostics \-\-timeout 1m";
    assert!(hub.contains(&format!("\n{example}\n")) && hub.contains(".SH \"EXIT STATUS\""), "{hub}");
    let file = sandbox.write("file", "").display().to_string();
    let refused = sandbox.run(&["man", &file]).expect(1);
    assert!(refused.err.contains("cannot write man pages"), "{}", refused.all());
}
