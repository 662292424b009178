//! Whose the folder is, and what is said when it cannot be had.

use super::*;

#[test]
fn a_folder_is_made_for_its_user_only() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("a").join("b");
    let mut store = open(&path);
    let mut core = core();
    core.create_derived(now(), "d".parse().expect("an id")).expect("created");
    keep(&mut store, &mut core);
    store.write_file("ca.pem", "x").expect("written");
    let mut names: Vec<_> =
        fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry")).collect();
    names.sort_by_key(fs::DirEntry::file_name);
    let names: Vec<_> = names
        .iter()
        .map(|entry| {
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                let mode = entry.metadata().expect("metadata").permissions().mode() & 0o777;
                assert_eq!(mode, 0o600, "{}", entry.path().display());
            }
            entry.file_name().into_string().expect("a name")
        })
        .collect();
    assert_eq!(names, ["ca.pem", "cloud.db", "cloud.db-wal", "lock"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn a_second_holder_is_told_who_has_the_folder() {
    let folder = TempDir::new().expect("a folder");
    let held = open(folder.path());
    let error = store(folder.path()).expect_err("held");
    assert!(
        matches!(error, StoreError::InUse { pid: Some(pid), .. } if pid == std::process::id()),
        "{error}"
    );
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    drop(held);
    open(folder.path());
}

#[test]
fn a_file_in_the_place_of_the_folder_is_named() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "precious").expect("written");
    for path in [file.clone(), file.join("below")] {
        let error = store(&path).expect_err("a file");
        assert!(matches!(error, StoreError::NotAFolder(_)) && error.is_usage(), "{error}");
    }
    assert_eq!(fs::read(&file).expect("readable"), b"precious");
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("d");
    fs::create_dir(&path).expect("made");
    fs::write(path.join("something"), "").expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o500)).expect("closed");
    if fs::write(path.join("probe"), "").is_ok() {
        // Root writes where it likes.
        return;
    }
    let error = store(&path).expect_err("closed");
    assert!(matches!(error, StoreError::NotWritable { .. }) && error.is_usage(), "{error}");
}
