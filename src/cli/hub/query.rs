//! `envsim hub query`: questions in the hub's query language, page by page.

use clap::Args;
use serde_json::Value;

use super::examples::QUERY;
use super::outage::unhurried;
use super::tell::{Table, cell};
use super::twin::written;
use super::which::{Hub, explained};
use crate::cli::Exit;
use crate::operator::Page;

/// The most that a page may have. IoT Hub gives a hundred twins at most.
const PAGE: u64 = 100;

/// The options of `envsim hub query`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = QUERY)]
pub struct QueryArgs {
    /// The question, such as "SELECT * FROM devices WHERE tags.floor = 2"
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub query: String,

    /// At most N results
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub top: Option<u64>,
}

/// The pages of an answer, one after the other.
pub struct Pages<'a> {
    hub: &'a Hub,
    query: &'a str,
    left: u64,
    /// What leads to the next page; none at the beginning.
    next: Option<String>,
    ended: bool,
}

impl<'a> Pages<'a> {
    /// From the first, until `top` items have come.
    pub fn new(hub: &'a Hub, query: &'a str, top: Option<u64>) -> Self {
        Self { hub, query, left: top.unwrap_or(u64::MAX), next: None, ended: false }
    }

    /// The next page; it may be empty and not be the last.
    pub async fn next(&mut self) -> anyhow::Result<Option<Page>> {
        if self.ended || self.left == 0 {
            return Ok(None);
        }
        let most = u16::try_from(self.left.min(PAGE)).unwrap_or(1);
        let mut page = explained(
            unhurried(async || self.hub.client.query(self.query, most, self.next.as_deref()).await).await,
        )?;
        // A hub that leads in a circle would never end.
        if page.next.is_some() && page.next == self.next {
            anyhow::bail!("the hub {} answers the same page again and again", self.hub.client.host());
        }
        page.items.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= page.items.len() as u64;
        self.next.clone_from(&page.next);
        self.ended = self.next.is_none();
        Ok(Some(page))
    }
}

/// Asks.
pub async fn run(hub: &Hub, args: &QueryArgs) -> anyhow::Result<Exit> {
    let mut pages = Pages::new(hub, &args.query, args.top);
    let mut table: Option<(Vec<String>, Table)> = None;
    let mut count = 0;
    while let Some(page) = pages.next().await? {
        count += page.items.len();
        if hub.is_for_programs() {
            for item in &page.items {
                hub.say(&item.to_string())?;
            }
        } else if !page.items.is_empty() {
            let items = simple(page);
            let columns = columns(&items);
            // Results without a member leave it out, so a later page may have other columns.
            let known = table.take().filter(|(known, _)| columns.iter().all(|name| known.contains(name)));
            let (columns, mut rest) = known.unwrap_or_else(|| (columns.clone(), Table::new(columns)));
            let rows: Vec<_> =
                items.iter().map(|item| columns.iter().map(|name| value(item, name)).collect()).collect();
            hub.say(&rest.part(&rows))?;
            table = Some((columns, rest));
        }
    }
    if count == 0 && !hub.is_for_programs() {
        return hub.say("no results");
    }
    Ok(Exit::Done)
}

/// Twins with what matters of them to people; everything else as it is.
fn simple(page: Page) -> Vec<Value> {
    if page.kind != "Twin" {
        return page.items;
    }
    let twin = |mut item: Value| {
        let mut row = serde_json::Map::new();
        for name in ["deviceId", "moduleId", "status", "connectionState", "tags"] {
            if let Some(value) = item.get(name) {
                row.insert(name.to_owned(), value.clone());
            }
        }
        for name in ["desired", "reported"] {
            if let Value::Object(members) = item["properties"][name].take() {
                row.insert(name.to_owned(), Value::Object(written(members)));
            }
        }
        Value::Object(row)
    };
    page.items.into_iter().map(twin).collect()
}

/// The names that stand in any of them, in the order in which each of them has its own.
fn columns(items: &[Value]) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for members in items.iter().filter_map(Value::as_object) {
        // Backwards: one that is new stands before the one that it stands before here.
        let mut before = columns.len();
        for name in members.keys().rev() {
            match columns.iter().position(|known| known == name) {
                Some(at) => before = at,
                None => columns.insert(before, name.clone()),
            }
        }
    }
    if columns.is_empty() { vec!["value".to_owned()] } else { columns }
}

fn value(item: &Value, column: &str) -> String {
    match item {
        Value::Object(members) => members.get(column).map(cell).unwrap_or_default(),
        other => cell(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn results_have_the_columns_that_any_of_them_has() {
        let items = [json!({"n": 1}), json!({"fw": "1.0", "n": 3})];
        assert_eq!(columns(&items), ["fw", "n"]);
        let more = [json!({"a": 1, "c": 1}), json!({"a": 1, "b": 1, "c": 1, "d": 1}), json!({"e": 1})];
        assert_eq!(columns(&more), ["a", "b", "c", "d", "e"]);
        assert_eq!((value(&items[0], "fw"), value(&items[1], "n")), (String::new(), "3".to_owned()));
        assert_eq!(
            (columns(&[json!(5)]), value(&json!(5), "value")),
            (vec!["value".to_owned()], "5".to_owned())
        );
    }

    #[test]
    fn a_twin_is_told_by_what_matters_to_people() {
        let twin = json!({"deviceId": "d", "etag": "e", "status": "enabled", "tags": {"floor": 2},
            "properties": {"desired": {"a": 1, "$metadata": {}, "$version": 2}, "reported": {}}});
        let page = Page { items: vec![twin.clone()], kind: "Twin".to_owned(), next: None };
        assert_eq!(
            simple(page),
            [
                json!({"deviceId": "d", "status": "enabled", "tags": {"floor": 2}, "desired": {"a": 1}, "reported": {}})
            ]
        );
        let page = Page { items: vec![twin.clone()], kind: "Raw".to_owned(), next: None };
        assert_eq!(simple(page), [twin]);
    }
}
