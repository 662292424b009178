//! Figures by row: ours, mosquitto's, and their ratios round by round.

use serde_json::{Map, Value, json};

/// What a row is to reach.
#[derive(Debug, Clone, Copy)]
enum Aim {
    /// Our own figure, at most.
    Most(f64),
    /// The ratio to mosquitto, at most.
    Ratio(f64),
    /// The ratio to mosquitto, at least.
    RatioLeast(f64),
}

#[derive(Debug, Default)]
struct Row {
    name: String,
    ours: Vec<f64>,
    theirs: Vec<f64>,
    aim: Option<Aim>,
}

/// All rows, in the order in which they came first.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    /// A figure, with what ours may be at most.
    pub(crate) fn add(&mut self, name: &str, own: bool, value: f64, most: Option<f64>) {
        self.put(name, own, value, most.map(Aim::Most));
    }

    /// A figure whose ratio to mosquitto's is to be at most `ratio`.
    pub(crate) fn aim(&mut self, name: &str, own: bool, value: f64, ratio: f64) {
        self.put(name, own, value, Some(Aim::Ratio(ratio)));
    }

    /// A figure whose ratio to mosquitto's is to be at least `ratio`.
    pub(crate) fn at_least(&mut self, name: &str, own: bool, value: f64, ratio: f64) {
        self.put(name, own, value, Some(Aim::RatioLeast(ratio)));
    }

    fn put(&mut self, name: &str, own: bool, value: f64, aim: Option<Aim>) {
        let at = self.0.iter().position(|row| row.name == name).unwrap_or_else(|| {
            self.0.push(Row { name: name.to_owned(), aim, ..Row::default() });
            self.0.len() - 1
        });
        let row = &mut self.0[at];
        if own { row.ours.push(value) } else { row.theirs.push(value) }
    }

    /// For people.
    pub(crate) fn print(&self) {
        println!("{:<58}{:>10}{:>11}   ratio [min..max]       aim", "median", "envsim", "mosquitto");
        for row in &self.0 {
            let theirs = row.theirs.first().map_or(String::new(), |_| short(median(row.theirs.clone())));
            let ratio = spread(&row.ratios())
                .map_or(String::new(), |(low, middle, high)| format!("{middle:.2} [{low:.2}..{high:.2}]"));
            let aim = match row.aim {
                Some(Aim::Most(most)) => format!("at most {most}"),
                Some(Aim::Ratio(most)) => format!("ratio at most {most}"),
                Some(Aim::RatioLeast(least)) => format!("ratio at least {least}"),
                None => String::new(),
            };
            let ours = short(median(row.ours.clone()));
            println!("{:<58}{ours:>10}{theirs:>11}   {ratio:<22} {aim}", row.name);
        }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let row = |row: &Row| {
            let told = |values: &[f64]| {
                let told = |(min, median, max)| json!({"min": min, "median": median, "max": max});
                spread(values).map_or(Value::Null, told)
            };
            let figures = json!({
                "envsim": told(&row.ours), "mosquitto": told(&row.theirs), "ratio": told(&row.ratios()),
            });
            (row.name.clone(), figures)
        };
        Value::Object(self.0.iter().map(row).collect::<Map<_, _>>())
    }
}

impl Row {
    fn ratios(&self) -> Vec<f64> {
        self.ours.iter().zip(&self.theirs).map(|(ours, theirs)| ours / theirs).collect()
    }
}

fn short(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn spread(values: &[f64]) -> Option<(f64, f64, f64)> {
    let low = values.iter().copied().reduce(f64::min)?;
    let high = values.iter().copied().reduce(f64::max)?;
    Some((low, median(values.to_vec()), high))
}

/// The middle one; of an even number the upper of the two.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A count as a number to reckon with.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn count(value: usize) -> f64 {
    value as f64
}
