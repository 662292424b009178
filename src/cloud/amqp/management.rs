//! Facts about the Event Hubs compatible endpoint, as its SDKs ask for them.

use fe2o3_amqp::types::primitives::{Array, OrderedMap, Timestamp, Value};

use super::access::Access;
use super::address::{EVENT_HUB, Node};
use super::request::{Answer, Question};
use crate::cloud::core::capture::{PARTITIONS, PartitionFacts};

/// Answers a question about the endpoint or one of its partitions.
pub(super) fn answer(access: &Access, question: &Question) -> Answer {
    if let Err(error) = access.check(&Node::Management.resource().unwrap_or_default()) {
        return Answer::refusal(401, error.description.unwrap_or_default());
    }
    let facts = |partition| access.shared.look(|core, _| core.partition_facts(partition));
    let began = access.shared.began().as_millisecond();
    told(question, began, facts)
}

fn told(question: &Question, began: i64, facts: impl Fn(u8) -> PartitionFacts) -> Answer {
    let property = |name| question.property(name).unwrap_or_default();
    if property("operation") != "READ" {
        return Answer::refusal(400, format!("the operation `{}` is not READ", property("operation")));
    }
    let name = property("name");
    if !name.eq_ignore_ascii_case(EVENT_HUB) {
        return Answer::refusal(
            404,
            format!("there is no `{name}` here: the endpoint is called {EVENT_HUB}"),
        );
    }
    let kind = property("type");
    let mut map = OrderedMap::new();
    let mut add = |name: &str, value: Value| {
        map.insert(Value::from(name), value);
    };
    add("name", name.into());
    add("type", kind.into());
    match kind {
        "com.microsoft:eventhub" => {
            let ids = (0..PARTITIONS).map(|partition| Value::String(partition.to_string()));
            add("created_at", Timestamp::from_milliseconds(began).into());
            add("partition_count", Value::Int(i32::from(PARTITIONS)));
            add("partition_ids", Value::Array(Array::from(ids.collect::<Vec<_>>())));
        }
        "com.microsoft:partition" => {
            let partition = property("partition");
            let Some(number) = partition.parse().ok().filter(|number| *number < PARTITIONS) else {
                return Answer::refusal(404, format!("there is no partition `{partition}`"));
            };
            let facts = facts(number);
            let last = facts.last.map_or(-1, |(sequence, _)| i64::try_from(sequence).unwrap_or(i64::MAX));
            let at = facts.last.map_or(0, |(_, at)| at.as_millisecond());
            add("partition", partition.into());
            add("begin_sequence_number", Value::Long(i64::try_from(facts.first).unwrap_or(i64::MAX)));
            add("last_enqueued_sequence_number", Value::Long(last));
            add("last_enqueued_offset", last.to_string().into());
            add("last_enqueued_time_utc", Timestamp::from_milliseconds(at).into());
            add("is_partition_empty", Value::Bool(facts.last.is_none()));
        }
        other => return Answer::refusal(400, format!("nothing is known of the type `{other}`")),
    }
    Answer { status: 200, words: "OK".to_owned(), body: Value::Map(map) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(properties: &[(&str, &str)]) -> Answer {
        let last = jiff::Timestamp::from_second(1).expect("a moment");
        told(&Question::test(properties, ""), 5, |partition| PartitionFacts {
            first: 3,
            last: (partition == 1).then_some((9, last)),
        })
    }

    fn member(answer: &Answer, name: &str) -> Option<Value> {
        let Value::Map(map) = &answer.body else { return None };
        map.get(&Value::from(name)).cloned()
    }

    #[test]
    fn the_endpoint_and_its_partitions_are_told() {
        let hub = [("operation", "READ"), ("type", "com.microsoft:eventhub"), ("name", EVENT_HUB)];
        let answer = ask(&hub);
        assert_eq!(answer.status, 200);
        let ids = ["0", "1", "2", "3"].map(Value::from).to_vec();
        assert_eq!(member(&answer, "partition_ids"), Some(Value::Array(Array::from(ids))));
        assert_eq!(member(&answer, "partition_count"), Some(Value::Int(4)));
        let of = |partition| {
            let kind = ("type", "com.microsoft:partition");
            ask(&[("operation", "READ"), kind, ("name", EVENT_HUB), ("partition", partition)])
        };
        assert_eq!(member(&of("1"), "last_enqueued_offset"), Some("9".into()));
        assert_eq!(member(&of("1"), "begin_sequence_number"), Some(Value::Long(3)));
        assert_eq!(member(&of("0"), "is_partition_empty"), Some(Value::Bool(true)));
        assert_eq!(of("4").status, 404);
    }

    #[test]
    fn other_questions_are_refused() {
        assert_eq!(ask(&[]).status, 400);
        assert_eq!(ask(&[("operation", "READ"), ("name", "x")]).status, 404);
        assert_eq!(ask(&[("operation", "READ"), ("name", EVENT_HUB), ("type", "x")]).status, 400);
    }
}
