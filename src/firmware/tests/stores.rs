//! The folder, whatever happens to it.

use std::fs;
use std::path::Path;

use super::super::address::Address;
use super::super::store::{DOWNLOAD, Installed, STATE, STATE_DRAFT, Step};
use super::super::{Store, StoreError};
use super::{folder, names};

fn open(folder: &Path) -> Store {
    Store::open(folder).expect("a store")
}

fn fetched(store: &mut Store, content: &[u8]) {
    let address = Address::parse("http://host/image").expect("an address");
    store.begin(&address, None).expect("begun");
    store.restart(None, None).expect("empty");
    store.write(content).expect("written");
    assert_eq!(store.keep().expect("kept"), content.len() as u64);
}

fn runs(version: &str) -> Installed {
    Installed { version: version.to_owned(), on_trial: false }
}

fn tries(version: &str) -> Installed {
    Installed { version: version.to_owned(), on_trial: true }
}

#[test]
fn an_image_is_on_trial_until_it_is_confirmed() {
    let folder = folder();
    let mut store = open(folder.path());
    assert_eq!(store.installed(), runs("1.0.0"));
    assert!(matches!(store.install("2.0.0"), Err(StoreError::NothingFetched(_))));
    assert!(matches!(store.confirm(), Err(StoreError::NotOnTrial(_))));
    fetched(&mut store, b"two");
    store.install("2.0.0").expect("installed");
    assert_eq!(store.installed(), tries("2.0.0"));
    assert_eq!(names(folder.path()), ["image-a.bin", "lock", "state.json"]);
    store.confirm().expect("confirmed");
    fetched(&mut store, b"three");
    store.install("3.0.0").expect("installed");
    assert!(matches!(store.install("4.0.0"), Err(StoreError::OnTrial { .. })));
    assert_eq!(fs::read(folder.path().join("image-a.bin")).expect("kept"), b"two");
    assert_eq!(fs::read(folder.path().join("image-b.bin")).expect("placed"), b"three");
    assert_eq!(store.roll_back().expect("back"), "2.0.0");
    assert_eq!(store.installed(), runs("2.0.0"));
    assert_eq!(names(folder.path()), ["image-a.bin", "lock", "state.json"]);
    assert_eq!(store.roll_back().expect("nothing to do"), "2.0.0");
}

#[test]
fn a_device_that_is_killed_between_installing_and_confirming_knows_it() {
    let folder = folder();
    let mut store = open(folder.path());
    fetched(&mut store, b"two");
    store.install("2.0.0").expect("installed");
    drop(store);
    let mut store = open(folder.path());
    assert_eq!(store.installed(), tries("2.0.0"));
    assert_eq!(store.roll_back().expect("back"), "1.0.0");
    drop(store);
    assert_eq!(open(folder.path()).installed(), runs("1.0.0"));
}

/// Prepares a folder, carries out the first steps of a change, "crashes", and opens it again.
fn crashed_after(
    done: usize,
    prepare: impl Fn(&mut Store),
    steps: impl Fn(&Store) -> Vec<Step>,
) -> (Installed, Vec<String>, bool) {
    let folder = folder();
    let mut store = open(folder.path());
    prepare(&mut store);
    let steps = steps(&store);
    let is_all = done >= steps.len();
    store.carry_out(steps.into_iter().take(done)).expect("carried out");
    drop(store);
    let store = open(folder.path());
    (store.installed(), names(folder.path()), is_all)
}

#[test]
fn a_crash_between_any_two_steps_of_installing_leaves_the_truth() {
    let prepare = |store: &mut Store| {
        fetched(store, b"two");
        store.install("2.0.0").expect("installed");
        store.confirm().expect("confirmed");
        fetched(store, b"three");
    };
    let mut seen = Vec::new();
    for done in 0.. {
        let steps = |store: &Store| store.steps_to_install("3.0.0").expect("steps");
        let (installed, names, is_all) = crashed_after(done, prepare, steps);
        let files: &[&str] = match done {
            // The download is still there; then it was in its place and no state spoke of it.
            0..=2 => &["download.part", "image-a.bin", "lock", "state.json"],
            3..=4 => &["image-a.bin", "lock", "state.json"],
            _ => &["image-a.bin", "image-b.bin", "lock", "state.json"],
        };
        assert_eq!(names, files, "after {done} steps");
        seen.push(installed);
        if is_all {
            break;
        }
    }
    let (last, before) = seen.split_last().expect("some");
    assert_eq!(*last, tries("3.0.0"));
    assert!(before.len() == 5 && before.iter().all(|installed| *installed == runs("2.0.0")), "{before:?}");
}

#[test]
fn a_crash_between_any_two_steps_of_going_back_leaves_the_truth() {
    let prepare = |store: &mut Store| {
        fetched(store, b"two");
        store.install("2.0.0").expect("installed");
    };
    for done in 0.. {
        let (installed, names, is_all) = crashed_after(done, prepare, Store::steps_to_roll_back);
        if done < 2 {
            assert_eq!((installed, names.len()), (tries("2.0.0"), 3), "after {done} steps: {names:?}");
        } else {
            assert_eq!((installed, names.len()), (runs("1.0.0"), 2), "after {done} steps: {names:?}");
        }
        if is_all {
            break;
        }
    }
}

#[test]
fn a_change_that_goes_wrong_half_way_has_not_happened() {
    let folder = folder();
    let mut store = open(folder.path());
    fetched(&mut store, b"two");
    // The state cannot be prepared where a folder has its name.
    fs::create_dir(folder.path().join(STATE_DRAFT)).expect("a folder");
    assert!(store.install("2.0.0").is_err());
    assert_eq!(store.installed(), runs("1.0.0"));
    assert!(matches!(store.install("2.0.0"), Err(StoreError::NothingFetched(_))));
    fs::remove_dir(folder.path().join(STATE_DRAFT)).expect("removed");
    assert_eq!(names(folder.path()), ["lock", "state.json"]);
}

#[test]
fn a_state_that_is_cut_short_or_garbage_is_refused_and_left_alone() {
    let folder = folder();
    let mut store = open(folder.path());
    fetched(&mut store, b"two");
    store.install("2.0.0").expect("installed");
    drop(store);
    let path = folder.path().join(STATE);
    let whole = fs::read(&path).expect("a state");
    let long = vec![b' '; 1 << 20];
    for bad in [&whole[..whole.len() / 2], b"", b"\xff\x00garbage", b"[]", long.as_slice()] {
        fs::write(&path, bad).expect("written");
        let said = Store::open(folder.path()).err().expect("an error").to_string();
        assert!(said.contains("state.json cannot be relied on: it is not as written"), "{said}");
        assert!(said.contains("move the folder away"), "{said}");
        assert_eq!(fs::read(&path).expect("there"), bad);
        assert_eq!(names(folder.path()), ["image-a.bin", "lock", "state.json"]);
    }
    fs::write(&path, whole).expect("written");
    fs::write(folder.path().join("image-a.bin"), b"tw").expect("written");
    let said = Store::open(folder.path()).err().expect("an error").to_string();
    assert!(said.contains("image-a.bin cannot be relied on: it has 2 bytes instead of 3"), "{said}");
}

#[test]
fn a_folder_is_held_by_one_at_a_time() {
    let folder = folder();
    let store = open(folder.path());
    let said = Store::open(folder.path()).err().expect("an error").to_string();
    assert!(said.contains("is in use by another device of this program: stop that one"), "{said}");
    drop(store);
    open(folder.path());
}

#[test]
fn a_folder_that_another_process_holds_is_told_with_its_number() {
    let folder = folder();
    let store = open(folder.path());
    let program = std::env::current_exe().expect("this program");
    let name = "firmware::tests::stores::tried_by_another_process";
    let done = std::process::Command::new(program)
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(HELD, store.folder())
        .output()
        .expect("it ran");
    let said = String::from_utf8_lossy(&done.stdout);
    let words = format!("is in use by another envsim (process {}): stop that one", std::process::id());
    assert!(done.status.success() && said.contains(&words), "{said}");
}

/// Where the other process finds which folder to try.
const HELD: &str = "ENVSIM_TEST_HELD_FOLDER";

#[test]
#[ignore = "run by the test above, as another process"]
fn tried_by_another_process() {
    let Some(folder) = std::env::var_os(HELD) else { return };
    println!("{}", Store::open(Path::new(&folder)).err().expect("an error"));
}

#[test]
fn a_folder_that_cannot_be_made_is_told_with_what_to_do() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, b"").expect("written");
    let said = Store::open(&file.join("below")).err().expect("an error").to_string();
    assert!(said.starts_with("cannot make the firmware folder"), "{said}");
    assert!(said.ends_with("choose another folder with --firmware-dir"), "{said}");
}

#[test]
fn a_temporary_folder_goes_with_its_store() {
    let store = Store::temporary().expect("a store");
    let path = store.folder().to_owned();
    assert_eq!(names(&path), ["lock", "state.json"]);
    drop(store);
    assert!(!path.exists());
}

#[test]
fn the_state_holds_no_secret_of_an_address() {
    let folder = folder();
    let mut store = open(folder.path());
    let address = Address::parse("https://me:hidden@host/image?sig=hidden").expect("an address");
    store.begin(&address, None).expect("begun");
    let state = fs::read_to_string(folder.path().join(STATE)).expect("a state");
    assert!(state.contains("https://…@host/image?…") && !state.contains("hidden"), "{state}");
}

#[test]
fn a_part_is_gone_on_from_only_where_the_state_vouches_for_it() {
    let folder = folder();
    let address = Address::parse("http://host/image").expect("an address");
    let mut store = open(folder.path());
    store.begin(&address, None).expect("begun");
    store.restart(Some("\"one\"".to_owned()), None).expect("empty");
    store.write(b"abc").expect("written");
    store.save().expect("saved");
    store.write(b"def").expect("written");
    drop(store);
    let mut store = open(folder.path());
    let kept = store.begin(&address, None).expect("begun");
    assert_eq!((kept.received, kept.validator.as_deref()), (3, Some("\"one\"")));
    store.write(b"xyz").expect("written");
    store.keep().expect("kept");
    assert_eq!(fs::read(folder.path().join(DOWNLOAD)).expect("a download"), b"abcxyz");
    let other = Address::parse("http://host/other").expect("an address");
    assert_eq!(store.begin(&other, None).expect("begun").received, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_really_full_is_told_in_words() {
    use std::io::Write as _;
    let full = Path::new("/dev/full");
    let error = fs::OpenOptions::new().write(true).open(full).and_then(|mut file| file.write_all(b"x"));
    let said = StoreError::io("write the image to", full)(error.expect_err("full")).to_string();
    assert_eq!(
        said,
        "cannot write the image to /dev/full: the disk is full; free some room there, or choose another folder \
         with --firmware-dir"
    );
}

/// Going back after a failed restart may fail as well, when the disk is full.
#[test]
fn an_image_that_could_not_be_gone_back_from_does_not_stand_in_the_way_of_the_next() {
    let folder = folder();
    let mut store = open(folder.path());
    fetched(&mut store, b"two");
    store.install("2.0.0").expect("installed");
    fetched(&mut store, b"three");
    assert_eq!(store.installed(), runs("1.0.0"), "nobody has confirmed it");
    store.install("3.0.0").expect("installed");
    assert_eq!(store.roll_back().expect("back"), "1.0.0");
}
