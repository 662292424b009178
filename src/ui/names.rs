//! Devices' names where many of them stand below or beside each other: short, and still apart.

use std::collections::HashSet;

use super::text::{char_width, clean, fit, width};
use crate::app::AppState;

/// What every device is called, by slot, each in at most `room` cells.
pub fn names(state: &AppState, room: usize) -> Vec<String> {
    apart(&state.labels(), room)
}

/// Cuts names to `room` cells, in the way that leaves most of them different from each other:
/// devices are often called alike but for a number, at the end or in the middle.
fn apart(names: &[String], room: usize) -> Vec<String> {
    let names: Vec<String> = names.iter().map(|name| clean(name)).collect();
    let alike = shared(names.iter().filter(|name| width(name) > room));
    // One cell is for the mark of what is left out.
    let rest = room.saturating_sub(1);
    let ways: [&dyn Fn(&str) -> String; 4] = [
        &|name| fit(name, room),
        &|name| format!("…{}", end(name, rest)),
        &|name| format!("{}…{}", beginning(name, rest / 2), end(name, rest - rest / 2)),
        &|name| format!("…{}", fit(name.get(alike..).unwrap_or_default(), rest)),
    ];
    let cut = |way: &dyn Fn(&str) -> String| -> Vec<String> {
        let one = |name: &String| match width(name) {
            wide if wide <= room => name.clone(),
            _ if room == 0 => String::new(),
            _ => way(name),
        };
        names.iter().map(one).collect()
    };
    let different = |names: &Vec<String>| names.iter().collect::<HashSet<_>>().len();
    // The last of the best is taken, which is the first way from in front.
    ways.into_iter().rev().map(cut).max_by_key(different).unwrap_or_default()
}

/// How many bytes all names begin with alike.
fn shared<'a>(mut names: impl Iterator<Item = &'a String>) -> usize {
    let Some(first) = names.next() else { return 0 };
    let both = |alike: &'a str, name: &String| {
        let same = alike.char_indices().zip(name.chars()).take_while(|((_, one), other)| one == other);
        &alike[..same.last().map_or(0, |((at, c), _)| at + c.len_utf8())]
    };
    names.fold(first.as_str(), both).len()
}

/// As many characters from the beginning as have room.
fn beginning(text: &str, room: usize) -> String {
    fitting(text.chars(), room).collect()
}

/// As many characters from the end as have room.
fn end(text: &str, room: usize) -> String {
    let from_behind: Vec<char> = fitting(text.chars().rev(), room).collect();
    from_behind.into_iter().rev().collect()
}

fn fitting(characters: impl Iterator<Item = char>, room: usize) -> impl Iterator<Item = char> {
    let mut taken = 0;
    characters.take_while(move |c| {
        taken += char_width(*c);
        taken <= room
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_apart(names: &[&str], room: usize) -> Vec<String> {
        apart(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), room)
    }

    #[test]
    fn names_that_have_room_or_differ_at_once_stay_as_they_begin() {
        assert_eq!(told_apart(&["env-sensor-01", "env-sensor-02"], 13), ["env-sensor-01", "env-sensor-02"]);
        assert_eq!(told_apart(&["kitchen-sensor", "cellar-sensor"], 8), ["kitchen…", "cellar-…"]);
        assert_eq!(told_apart(&[], 8), Vec::<String>::new());
    }

    #[test]
    fn what_is_alike_is_cut_wherever_it_stands() {
        assert_eq!(told_apart(&["env-sensor-01", "env-sensor-02"], 10), ["…sensor-01", "…sensor-02"]);
        assert_eq!(
            told_apart(&["basement", "env-sensor-01", "env-sensor-02"], 10),
            ["basement", "…sensor-01", "…sensor-02"]
        );
        assert_eq!(
            told_apart(&["kitchen-environment-a", "kitchen-environment-b", "cellar-environment-a"], 9),
            ["kitc…nt-a", "kitc…nt-b", "cell…nt-a"]
        );
        assert_eq!(
            told_apart(&["floor-1-environment-sensor", "floor-2-environment-sensor"], 6),
            ["…1-en…", "…2-en…"]
        );
        assert_eq!(told_apart(&["日本語一", "日本語二"], 5), ["…語一", "…語二"]);
    }

    #[test]
    fn no_name_is_wider_than_its_room() {
        for room in 0..16 {
            for name in told_apart(&["env-sensor-01", "env-sensor-02", "日本語日本語日本語"], room) {
                assert!(width(&name) <= room, "{room}: {name}");
            }
        }
    }
}
